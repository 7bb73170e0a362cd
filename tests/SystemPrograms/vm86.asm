; Virtual-8086 mode: what needs IOPL 3, what needs ring 0, interrupts to ring 0 and back, port permissions, limits, task switches out of it.
%define MODE 32
%include "program.inc"

%define CONF 0x60
%define RING1_CODE 0x68

; Goes to virtual-8086 mode with a stack at 1000:1000, the data segments 0, and the flags given; 16-bit code follows.
%macro VM86 0-1 0x00020002
    push dword 0                            ; GS FS DS ES
    push dword 0
    push dword 0
    push dword 0
    push dword 0x3000
    push dword 0x1000
    push dword %1
    push dword 0
    push dword %%there
    iretd
bits 16
%%there:
%endmacro

%macro TRY 2-3 0x00020002       ; name, instruction, flags
    CASE %1
    VM86 %3
    AT
    %2
    END
%endmacro

main:
    DESC CONF, 0, 0xFFFFF, A_CONF, F_G | F_D
    DESC RING1_CODE, 0, 0xFFFFF, A_CODE | DPL(1), F_G | F_D
    mov word [GDT + TR], 0x68 + 0x2000      ; an I/O bitmap of all ports
    and byte [GDT + TR + 5], ~2
    mov eax, TR
    ltr ax
    jmp cases

;; SDM Vol. 3, 20.2.7 and 20.3: cli, sti, pushf, popf, int n, iret with IOPL below 3: #GP(0); in, out go by the bitmap, whatever IOPL is
cases:
    TRY "iopl0.cli", cli
    TRY "iopl0.sti", sti
    TRY "iopl0.pushf", pushf
    TRY "iopl0.popf", popf
    TRY "iopl0.pushfd", pushfd
    TRY "iopl0.int", {int 0x40}
    TRY "iopl0.int3", int3
    TRY "iopl0.iret", iret
    TRY "iopl0.iretd", iretd
    TRY "iopl0.icebp", {db 0xF1}
    CASE "iopl0.into"
    VM86
    mov al, 0x7F
    inc al
    AT
    into
    END
    TRY "iopl3.cli", cli, 0x00023002
    TRY "iopl3.int", {int 0x40}, 0x00023002
    TRY "iopl3.int-dpl3", {int 0xFF}, 0x00023002
    CASE "iopl3.flags"
    VM86 0x00023002
    push word 0x4ED7 & ~0x200               ; IOPL stays
    popf
    pushf
    pop ax
    mov bx, sp
    END
    CASE "iopl3.flags-value"
    VM86 0x00023002
    push word 0x0ED7 & ~0x200
    popf
    pushf
    pop ax
    AT
    ud2
    ENDX
    SHOW16 r_ax
    EOL
    CASE "iopl3.pushfd"                     ; VM and RF are not pushed
    VM86 0x00263002
    pushfd
    pop eax
    AT
    ud2
    ENDX
    SHOW r_ax
    EOL
    CASE "iopl3.iret"
    VM86 0x00023002
    push word 0x0202
    push word 0x0010
    push word 0x0900
    mov dword [0xA00], 0xFFCD               ; 0010:0900
    mov word [0xA00], 0xFFCD
    AT
    iret
    ENDX
    SHOW16 r_cs
    EOL
    TRY "hlt", hlt
    TRY "hlt-iopl3", hlt, 0x00023002
    TRY "lgdt", {lgdt [gdtr]}
    TRY "lmsw", {lmsw ax}
    TRY "clts", clts
    TRY "mov-cr0", {mov eax, cr0}
    TRY "mov-dr7", {mov eax, dr7}
    TRY "invlpg", {invlpg [0]}
    TRY "wbinvd", wbinvd
    TRY "rdmsr", rdmsr
    TRY "sysenter", sysenter
    TRY "sysexit", sysexit
    TRY "smsw", {smsw ax}, 0x00023002
    TRY "lldt", {lldt ax}
    TRY "ltr", {ltr ax}
    TRY "str", {str ax}
    TRY "lar", {lar ax, bx}
    TRY "verr", {verr ax}
    TRY "arpl", {arpl ax, bx}
    TRY "ud2", ud2
    CASE "de"
    VM86
    xor cx, cx
    AT
    div cx
    END

;; SDM Vol. 3, 20.2.8 and 20.1.1: ports by the bitmap only
    CASE "port.allowed"
    VM86 0x00023002
    out 0x80, al
    END
    mov byte [TSS + 0x68 + 0x10], 1
    TRY "port.denied", {out 0x80, al}
    TRY "port.denied-iopl3", {out 0x80, al}, 0x00023002
    TRY "port.word", {in ax, 0x7F}
    mov byte [TSS + 0x68 + 0x10], 0

;; SDM Vol. 3, 20.2.1: segments are base selector * 16, limit FFFF, and are not checked
    CASE "segments"
    VM86 0x00023002
    mov ax, 0x4000
    mov es, ax
    mov word [es:0x1234], 0x5A5A
    mov ax, 0x4123
    mov fs, ax
    mov bx, [fs:4]
    END
    CASE "segments.value"
    VM86
    mov ax, 0x4123
    mov fs, ax
    mov bx, [fs:4]
    AT
    ud2
    ENDX
    SHOW16 r_bx, r_vm + 16
    EOL
    TRY "limit.word", {mov ax, [0xFFFF]}
    TRY "limit.stack", {mov ax, [ss:0xFFFF]}
    CASE "limit.address32"
    VM86
    mov ebx, 0x10000
    AT
    mov al, [ebx]
    END
    CASE "limit.jump"
    VM86
    AT
    jmp dword 0x10000 + V(main)
    END
    CASE "limit.push"
    VM86
    mov sp, 2
    AT
    push eax
    END
    CASE "far.jump"
    VM86 0x00023002
    mov word [0x900], 0xFFCD
    mov dword [case_at], 0
    jmp 0x0010:0x0800
    ENDX
    SHOW16 r_cs
    EOL
    CASE "far.call-return"
    VM86
    mov byte [0x900], 0xCB                  ; retf
    call 0x0010:0x0800
    mov bx, sp
    AT
    ud2
    ENDX
    SHOW16 r_bx
    EOL

;; SDM Vol. 3, 20.3.1.1: the frame on the ring-0 stack is nine words; data segments are null in the handler
    CASE "frame"
    VM86 0x00023002
    mov ax, 0x1111
    mov ds, ax
    mov ax, 0x2222
    mov es, ax
    mov ax, 0x3333
    mov fs, ax
    mov ax, 0x4444
    mov gs, ax
    AT
    int 0xFF
    ENDX
    SHOW16 r_ds, r_es, r_fs, r_gs
    SHOW16 r_vm, r_vm + 8, r_vm + 16, r_vm + 24
    SHOW16 r_ss, r_sp
    SHOW r_hsp
    mov eax, [r_hfl]
    and eax, SYSFLAGS
    mov [value], eax
    SHOW value
    EOL
    CASE "gate.to-conforming"               ; the handler's code must be ring 0 and not conforming: #GP(selector)
    mov word [IDT + 0x41 * 8 + 2], CONF
    mov byte [IDT + 0x41 * 8 + 5], A_INT32 | DPL(3)
    VM86 0x00023002
    AT
    int 0x41
    END
    CASE "gate.to-ring1"
    mov word [IDT + 0x41 * 8 + 2], RING1_CODE | 1
    VM86 0x00023002
    AT
    int 0x41
    END
    CASE "gate.dpl"
    mov word [IDT + 0x41 * 8 + 2], KC
    mov byte [IDT + 0x41 * 8 + 5], A_INT32 | DPL(2)
    VM86 0x00023002
    AT
    int 0x41
    END
    CASE "gate.16-bit"
    mov word [IDT + 0x41 * 8], handler16
    mov byte [IDT + 0x41 * 8 + 5], A_INT16 | DPL(3)
    jmp go16
handler16:
    mov eax, KD
    mov ds, ax
    mov [value], esp
    mov eax, [ss:esp]
    mov [value + 8], eax
    mov eax, [ss:esp + 4]
    mov [value + 16], eax
    int 0xFF
go16:
    VM86 0x00023002
    AT
    int 0x41
    ENDX
    SHOW value
    mov eax, [value + 8]
    sub ax, [case_at]
    mov [value + 8], eax
    SHOW value + 8, value + 16
    EOL
    CASE "resume"                           ; the handler goes back
    mov dword [hook], add_to_ip
    jmp go_resume
add_to_ip:
    inc dword [ebp + 44]                    ; EAX
    add dword [ebp + 56], 2                 ; beyond ud2
    mov dword [hook], 0
    jmp unwind
go_resume:
    VM86
    mov eax, 0x100
    ud2
    mov bx, ax
    AT
    hlt
    ENDX
    SHOW16 r_bx
    EOL
    CASE "iret.ring3-cannot-set-vm"
    RING3 0x3002
    push dword 0
    push dword 0
    push dword 0
    push dword 0
    push dword 0x3000
    push dword 0x1000
    push dword 0x00023002
    push dword UC32 | 3
    push dword .still
    iretd
.still:
    AT
    ud2
    END
    CASE "iret.popf-cannot-set-vm"
    push dword 0x00020002
    popfd
    AT
    ud2
    END
    TRY "single-step", nop, 0x00020102

;; SDM Vol. 3, 20.3.2 and 5.7: a task gate out of VM86 saves VM in the old TSS
    CASE "task-gate"
    mov dword [TSS + 28], 0
    DESC 0x70, V(tss2), 0x67, A_TSS32, 0
    GATE IDT + 0x42 * 8, 0x70, 0, A_TASK | DPL(3)
    mov dword [tss2 + 32], in_task
    mov dword [tss2 + 36], 2
    mov dword [tss2 + 56], STACK2
    mov dword [tss2 + 72], KD
    mov dword [tss2 + 76], KC
    mov dword [tss2 + 80], KD
    mov dword [tss2 + 84], KD
    jmp go_task
align 8
tss2: times 104 db 0
in_task:
    mov dword [value], 0x1234
    iretd
go_task:
    VM86 0x00023002
    int 0x42
    AT
    ud2
    ENDX
    SHOW value, TSS + 36
    SHOW16 TSS + 76, TSS + 80
    EOL
    FINISH
PROGRAM_END
