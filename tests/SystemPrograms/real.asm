; Real mode: exceptions through the vector table, segment limits, interrupts, the 64 KiB limits lifted ("unreal" mode), A20.
%define MODE 16
%include "program.inc"

%macro TRY 2                    ; name, instruction
    CASE %1
    AT
    %2
    END
%endmacro

main:
    jmp cases
align 4
gdt_flat:
    dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
flat_gdtr:
    dw 23
    dd gdt_flat
ivt_short:
    dw 0x3F7                    ; to vector 0xFD
    dd 0
ivt_moved:
    dw 0x3FF
    dd 0x20000
ivt_normal:
    dw 0x3FF
    dd 0
there:
    mov bx, 0x4242
    int 0xFF

cases:
;; SDM Vol. 3, 20.1.3 and 20.1.4: exceptions push IP, CS, FLAGS and no error code
    CASE "de.zero"
    xor cx, cx
    AT
    div cx
    END
    CASE "de.overflow-byte"
    mov ax, 0x1000
    mov cl, 1
    AT
    div cl
    END
    TRY "bp", int3
    CASE "of"
    mov al, 0x7F
    inc al
    AT
    into
    END
    CASE "br"
    mov word [value], 5
    mov word [value + 2], 7
    mov ax, 8
    AT
    bound ax, [value]
    END
    TRY "ud.ud2", ud2
    TRY "ud.lock", {db 0xF0, 0x90}
    TRY "ud.lldt", lldt ax
    TRY "ud.ltr", ltr ax
    TRY "ud.str", str ax
    TRY "ud.sldt", sldt ax
    TRY "ud.verr", verr ax
    TRY "ud.lar", {lar ax, bx}
    TRY "ud.lsl", {lsl ax, bx}
    TRY "ud.arpl", {arpl ax, bx}
    TRY "gp.sysenter", sysenter
    TRY "gp.sysexit", sysexit
    CASE "icebp"
    AT
    db 0xF1
    END
    CASE "int.flags"                        ; IF and TF are cleared, the old ones pushed
    push word 0x7ED7 & ~0x100
    popf
    AT
    int 0x40
    END
    CASE "popf.iopl"
    push word 0x7002
    popf
    pushf
    pop ax
    ENDX
    SHOW16 r_ax
    EOL
    CASE "clts-lmsw"
    clts
    smsw ax
    mov bx, ax
    or ax, 8
    lmsw ax
    smsw cx
    clts
    smsw dx
    and bx, 15
    and cx, 15
    and dx, 15
    ENDX
    SHOW16 r_bx, r_cx, r_dx
    EOL
    CASE "sgdt"
    lgdt [flat_gdtr]
    sgdt [value]
    mov ax, [value]
    mov ebx, [value + 2]
    sub ebx, gdt_flat
    ENDX
    SHOW16 r_ax, r_bx
    EOL
    CASE "hlt-privilege"                    ; ring 0: cli, in, out and rdmsr run
    cli
    in al, 0x61
    mov ecx, 0x1B
    rdmsr
    END

;; SDM Vol. 3, 20.1.1 and table 20-1: accesses beyond offset FFFF: #GP, through SS #SS
    TRY "limit.word", {mov ax, [0xFFFF]}
    TRY "limit.dword", {mov eax, [0xFFFD]}
    TRY "limit.dword-last", {mov eax, [0xFFFC]}
    TRY "limit.byte", {mov al, [0xFFFF]}
    CASE "limit.write"
    mov ax, 0xA000
    mov es, ax
    AT
    mov [es:0xFFFF], ax
    END
    CASE "limit.address32"
    mov ebx, 0x10000
    AT
    mov al, [ebx]
    END
    CASE "limit.address32-inside"
    mov ebx, 0xFFFF
    AT
    mov al, [ebx]
    END
    CASE "limit.address32-negative"
    mov ebx, -1
    AT
    mov al, [ebx]
    END
    CASE "limit.address16-wraps"
    mov byte [0x500], 0x77
    mov bx, 0xFF00
    mov si, 0x600
    mov al, [bx + si]
    ENDX
    SHOW16 r_ax
    EOL
    CASE "limit.bp-is-ss"
    mov bp, 0xFFFF
    AT
    mov ax, [bp]
    END
    CASE "limit.ss-override"
    AT
    mov ax, [ss:0xFFFF]
    END
    CASE "stack.push-at-0"
    mov word [0xFFFE], 0
    mov sp, 0
    mov ax, 0x1357
    push ax
    mov cx, sp
    mov dx, [0xFFFE]
    ENDX
    SHOW16 r_cx, r_dx
    EOL
    CASE "stack.pop-at-FFFF"
    mov sp, 0xFFFF
    AT
    pop ax
    END
    CASE "stack.push32-at-2"
    mov sp, 2
    AT
    push eax
    END
    CASE "code.runs-off"                    ; the instruction before the end is followed by offset 10000
    mov ax, 0x3000
    mov es, ax
    mov word [es:0xFFFE], 0x9090
    mov dword [case_at], 0                  ; IP is pushed cut to 16 bits
    jmp 0x3000:0xFFFE
    END
    CASE "code.instruction-across"
    mov ax, 0x3000
    mov es, ax
    mov byte [es:0xFFFF], 0xB8
    mov dword [case_at], 0xFFFF
    jmp 0x3000:0xFFFF
    END
    CASE "code.jump-wraps"                  ; a near jump is cut to 16 bits
    mov ax, 0x3000
    mov es, ax
    mov dword [es:0xFFF0], 0x900020E9       ; jmp +0x20
    mov dword [es:0x13], 0xFFCD             ; int 0xFF
    mov dword [case_at], 0
    jmp 0x3000:0xFFF0
    ENDX
    SHOW16 r_ip
    EOL
    CASE "code.jump32"
    AT
    jmp dword 0x10000 + V(main)
    END

;; SDM Vol. 2 (string instructions): a fault in the middle leaves the registers at the element that faulted
    CASE "string.stosw-across"
    mov ax, 0x3000
    mov es, ax
    mov di, 0xFFF9
    mov cx, 8
    mov ax, 0x1111
    AT
    rep stosw
    ENDX
    SHOW16 r_cx, r_di
    EOL
    CASE "string.stosb-wraps"
    mov ax, 0x3000
    mov es, ax
    mov di, 0xFFFE
    mov cx, 4
    mov al, 0x22
    AT
    rep stosb
    ENDX
    SHOW16 r_cx, r_di
    mov ax, 0x3000
    mov es, ax
    mov eax, [es:0]
    mov [value], eax
    SHOW16 value
    xor ax, ax
    mov es, ax
    EOL
    CASE "string.movsd-source"
    mov ax, 0x3000
    mov es, ax
    mov si, 0xFFF6
    mov di, 0x100
    mov cx, 5
    AT
    rep movsd
    ENDX
    SHOW16 r_cx, r_si, r_di
    EOL
    CASE "string.lodsw-down"
    mov si, 2
    mov cx, 3
    std
    AT
    rep lodsw
    ENDX
    SHOW16 r_cx, r_si
    EOL
    CASE "string.address32"
    mov ax, 0x3000
    mov es, ax
    mov edi, 0xFFFE
    mov ecx, 4
    AT
    a32 rep stosb
    ENDX
    SHOW r_cx, r_di
    EOL

;; SDM Vol. 3, 20.1.4: lidt moves the vector table; a vector beyond its limit: #GP
    CASE "ivt.beyond"
    lidt [ivt_short]
    AT
    int 0xFE
    RESUME
    lidt [ivt_normal]
    call report
    EOL
    CASE "ivt.moved"
    mov ax, 0x2000
    mov es, ax
    mov word [es:0x40 * 4], there
    mov word [es:0x40 * 4 + 2], 0
    lidt [ivt_moved]
    xor ax, ax
    mov es, ax
    mov word [es:0xFF * 4], stubs + 0xFF * STUB_SIZE
    mov ax, 0x2000
    mov es, ax
    mov word [es:0xFF * 4], stubs + 0xFF * STUB_SIZE
    mov word [es:0xFF * 4 + 2], 0
    int 0x40
    ENDX
    lidt [ivt_normal]
    SHOW16 r_bx
    EOL
    CASE "iret"
    push word 0x4002
    push word 0
    push word .returned
    iret
.returned:
    pushf
    pop ax
    ENDX
    SHOW16 r_ax
    EOL
    CASE "iret.32"
    push dword 0x00244002 | 0x00020000      ; VM, VIP and VIF are not taken
    push dword 0
    push dword .returned32
    iretd
.returned32:
    pushfd
    pop eax
    ENDX
    SHOW r_ax
    EOL
    CASE "iret.32-beyond"
    push dword 2
    push dword 0
    push dword 0x10000
    AT
    iretd
    END
    CASE "retf.32-beyond"
    push dword 0
    push dword 0x10000
    AT
    retfd
    END
    CASE "segment.load"                     ; any value loads
    mov ax, 0xFFFF
    mov es, ax
    mov gs, ax
    mov ax, gs
    ENDX
    SHOW16 r_ax
    EOL

;; SDM Vol. 3, 9.9: back from protected mode with limits of 4 GiB: they stay until protected mode loads others, whatever real mode loads
    CASE "unreal"
    cli
    push ds
    push es
    lgdt [flat_gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp .protected
.protected:
    mov bx, 0x10
    mov ds, bx
    mov es, bx
    and al, ~1
    mov cr0, eax
    jmp 0:.back
.back:
    pop es
    pop ds
    mov dword [dword 0x50000], 0
    mov edi, 0x50000
    mov dword [es:edi], 0x600D600D
    mov ecx, [edi]
    mov ax, 0x5000
    mov ds, ax
    mov edx, [0]                            ; base 0x50000
    mov ebx, [dword 0x12344]                ; limit still 4 GiB
    END
    CASE "unreal.value"
    mov edi, 0x50000
    mov ecx, [edi]
    ENDX
    SHOW r_cx
    EOL
    CASE "unreal.code16-in-protected-mode"  ; PE set, CS still of real mode
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 0x1234
    and al, ~1
    mov cr0, eax
    ENDX
    SHOW16 r_bx
    EOL

;; SDM Vol. 3, 22.34 (A20M#): FFFF:0010 is address 100000 with A20 on, 0 with it off
    CASE "a20"
    mov ax, 0xFFFF
    mov es, ax
    mov dword [es:0x510], 0x11111111        ; 100500
    mov dword [0x500], 0x22222222
    mov ebx, [es:0x510]
    mov al, 0xD1                            ; neither gate is open: the keyboard controller's output port, and port 92h
    out 0x64, al
    mov al, 0xDD
    out 0x60, al
    in al, 0x92
    and al, 0xFC
    out 0x92, al
    mov ecx, [es:0x510]
    or al, 2
    out 0x92, al
    mov edx, [es:0x510]
    ENDX
    SHOW r_bx, r_cx, r_dx
    EOL
    FINISH
PROGRAM_END
