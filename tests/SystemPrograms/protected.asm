; Exceptions of protected mode and their error codes: segment loads, far transfers, system instructions, interrupts through bad gates.
%define MODE 32
%include "program.inc"

%define NP_DATA   0x60          ; not present
%define NP_CODE   0x68
%define RO_DATA   0x70          ; read-only
%define X_CODE    0x78          ; execute-only
%define CONF      0x80          ; conforming, ring 0
%define LDT_SEL   0x88
%define NP_LDT    0x90
%define BUSY_TSS  0x98
%define NP_TSS    0xA0
%define CALL_GATE 0xA8
%define RESERVED  0xB0          ; system type 0
%define TASK_GATE 0xB8
%define CALL_NP   0xC0
%define CALL_NULL 0xC8          ; leads to selector 0
%define CALL_DATA 0xD0          ; leads to a data segment
%define CALL_BEYOND 0xD8        ; leads beyond the table
%define DATA_D1   0xE0          ; data of ring 1
%define CODE_R3   0xE8          ; readable code of ring 3
%define CONF3     0xF0          ; conforming, ring 3
%define TINY_CODE 0xF8          ; limit 0xFFF
%define TINY_TSS  0x100         ; limit 0x66
%define LDT_BIG   0x108

main:
    DESC NP_DATA, 0, 0xFFFFF, A_DATA & ~A_PRESENT, F_G | F_D
    DESC NP_CODE, 0, 0xFFFFF, A_CODE & ~A_PRESENT, F_G | F_D
    DESC RO_DATA, 0, 0xFFFFF, A_RDATA, F_G | F_D
    DESC X_CODE, 0, 0xFFFFF, A_XCODE, F_G | F_D
    DESC CONF, 0, 0xFFFFF, A_CONF, F_G | F_D
    DESC LDT_SEL, LDT, 0x2F, A_LDT, 0
    DESC NP_LDT, LDT, 0x2F, A_LDT & ~A_PRESENT, 0
    DESC BUSY_TSS, TSS, 0x67, A_TSS32 | 2, 0
    DESC NP_TSS, TSS, 0x67, A_TSS32 & ~A_PRESENT, 0
    DESC RESERVED, 0, 0xFFFFF, 0x80, F_G | F_D
    DESC DATA_D1, 0, 0xFFFFF, A_DATA | DPL(1), F_G | F_D
    DESC CODE_R3, 0, 0xFFFFF, A_CODE | DPL(3), F_G | F_D
    DESC CONF3, 0, 0xFFFFF, A_CONF | DPL(3), F_G | F_D
    DESC TINY_CODE, 0, 0xFFF, A_CODE, F_D
    DESC TINY_TSS, TSS, 0x66, A_TSS32, 0
    GATE GDT + CALL_GATE, KC, V(main), A_CALL32
    GATE GDT + TASK_GATE, TR, 0, A_TASK
    GATE GDT + CALL_NP, KC, V(main), A_CALL32 & ~A_PRESENT
    GATE GDT + CALL_NULL, 0, V(main), A_CALL32
    GATE GDT + CALL_DATA, KD, V(main), A_CALL32
    GATE GDT + CALL_BEYOND, 0x1FF8, V(main), A_CALL32
    mov dword [LDT], 0x0000FFFF             ; selector 4: data
    mov dword [LDT + 4], 0x00CF9200

;; SDM Vol. 3, 6.15 (#DE, #BP, #OF, #BR, #UD): faults save the instruction, traps the next one; 17.3.1.1: RF is set in what faults save
    CASE "de.zero"
    xor ecx, ecx
    AT
    div ecx
    END
    CASE "de.overflow"
    mov edx, 1
    xor eax, eax
    mov ecx, 1
    AT
    div ecx
    END
    CASE "de.idiv"
    mov eax, 0x80000000
    cdq
    mov ecx, -1
    AT
    idiv ecx
    END
    CASE "de.aam"
    AT
    aam 0
    END
    CASE "bp.int3"
    AT
    int3
    END
    CASE "bp.cd03"
    AT
    db 0xCD, 3
    END
    CASE "of.into"
    mov al, 0x7F
    add al, 1
    AT
    into
    END
    CASE "of.not"
    xor eax, eax
    AT
    into
    END
    CASE "br.bound"
    mov dword [value], 1
    mov dword [value + 4], 5
    mov eax, 6
    AT
    bound eax, [value]
    END
    CASE "br.inside"
    mov eax, 5
    AT
    bound eax, [value]
    END
    CASE "ud.ud2"
    AT
    ud2
    END
    CASE "ud.lock-nop"
    AT
    db 0xF0, 0x90
    END
    CASE "ud.lock-register"
    AT
    db 0xF0, 0x01, 0xC8                     ; lock add eax, ecx
    END
    CASE "ud.mov-cs"
    AT
    db 0x8E, 0xC8                           ; mov cs, ax
    END
    CASE "ud.lea-register"
    AT
    db 0x8D, 0xC0
    END
    CASE "ud.bound-register"
    AT
    db 0x62, 0xC0
    END
    CASE "gp.length-16"
    AT
    times 15 db 0x66
    db 0x90
    nop
    END
    CASE "ud.int1-is-db"
    AT
    db 0xF1
    END

;; SDM Vol. 3, 5.4.1 and 3.4.2: a null selector loads; its use is #GP(0). SS takes none
    CASE "null.ds-load"
    xor eax, eax
    mov ds, ax
    END
    CASE "null.ds-read"
    xor eax, eax
    mov ds, ax
    AT
    mov eax, [0]
    END
    CASE "null.es-write"
    mov eax, 3
    mov es, ax
    AT
    mov [es:0], eax
    END
    CASE "null.ss-load"
    xor eax, eax
    AT
    mov ss, ax
    END
    CASE "null.ss-rpl"
    mov eax, 3
    AT
    mov ss, ax
    END

;; SDM Vol. 2, MOV and LDS: #GP(selector) for a bad selector, #NP(selector), #SS(selector) for SS not present; the RPL is not in the error code
    CASE "load.beyond-gdt"
    mov eax, 0x1003
    AT
    mov ds, ax
    END
    CASE "load.beyond-ldt"
    xor eax, eax
    lldt ax
    mov eax, 0x0C
    AT
    mov ds, ax
    END
    CASE "load.ldt"
    mov eax, LDT_SEL
    lldt ax
    mov eax, 4
    mov ds, ax
    AT
    mov eax, [value]
    END
    CASE "load.ldt-null-descriptor"
    mov eax, 0x0C
    AT
    mov ds, ax
    END
    CASE "load.ldt-beyond"
    mov eax, 0x34
    AT
    mov es, ax
    END
    xor eax, eax
    lldt ax
    CASE "load.not-present"
    mov eax, NP_DATA
    AT
    mov ds, ax
    END
    CASE "load.ss-not-present"
    mov eax, NP_DATA
    AT
    mov ss, ax
    END
    CASE "load.execute-only"
    mov eax, X_CODE
    AT
    mov ds, ax
    END
    CASE "load.system"
    mov eax, TR
    AT
    mov ds, ax
    END
    CASE "load.readable-code"
    mov eax, KC
    mov es, ax
    AT
    mov eax, [es:value]
    END
    CASE "load.write-to-code"
    mov eax, KC
    mov es, ax
    AT
    mov [es:value], eax
    END
    CASE "load.write-to-read-only"
    mov eax, RO_DATA
    mov es, ax
    AT
    mov [es:value], eax
    END
    CASE "load.rmw-read-only"
    mov eax, RO_DATA
    mov es, ax
    AT
    add [es:value], eax
    END
    CASE "load.cs-override-write"
    AT
    mov [cs:value], eax
    END
    CASE "load.ss-read-only"
    mov eax, RO_DATA
    AT
    mov ss, ax
    END
    CASE "load.ss-code"
    mov eax, KC
    AT
    mov ss, ax
    END
    CASE "load.ss-rpl"
    mov eax, KD | 1
    AT
    mov ss, ax
    END
    CASE "load.ss-dpl"
    mov eax, DATA_D1
    AT
    mov ss, ax
    END
    CASE "load.rpl3-dpl0"
    mov eax, KD | 3
    AT
    mov ds, ax
    END
    CASE "load.ring3-dpl0"
    RING3
    mov eax, KD
    AT
    mov ds, ax
    END
    CASE "load.ring3-dpl3-rpl0"
    RING3
    mov eax, UD
    mov ds, ax
    AT
    mov eax, [value]
    END
    CASE "load.ring3-conforming-dpl0"
    RING3
    mov eax, CONF
    AT
    mov ds, ax
    END
    CASE "load.ring3-code-dpl3"
    RING3
    mov eax, CODE_R3 | 3
    AT
    mov fs, ax
    END
    CASE "load.lds"
    mov dword [value], 0x1234
    mov dword [value + 4], NP_DATA
    mov esi, 0x55
    AT
    lds esi, [value]
    ENDX
    SHOW r_si
    EOL
    CASE "load.pop-ds"
    push dword NP_DATA
    AT
    pop ds
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL
    CASE "load.pop-ss"
    push dword X_CODE
    AT
    pop ss
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL
    mov byte [GDT + KD16 + 5], A_DATA & ~1
    CASE "load.accessed-bit"
    mov eax, KD16
    mov gs, ax
    ENDX
    mov eax, [GDT + KD16 + 4]
    mov [value], eax
    SHOW value
    EOL

;; SDM Vol. 2, JMP and CALL far: what the selector may name
    CASE "far.null"
    AT
    jmp 0:0
    END
    CASE "far.null-rpl"
    AT
    jmp 3:0
    END
    CASE "far.beyond"
    AT
    jmp 0x1008:0
    END
    CASE "far.data"
    AT
    jmp KD:0
    END
    CASE "far.not-present"
    AT
    jmp NP_CODE:0
    END
    CASE "far.system-type"
    AT
    jmp RESERVED:0
    END
    CASE "far.interrupt-gate"
    mov dword [GDT + RESERVED + 4], (A_INT32 << 8)
    AT
    jmp RESERVED:0
    END
    CASE "far.ldt"
    AT
    call LDT_SEL:0
    END
    CASE "far.inner-to-ring3"
    AT
    jmp (UC32 | 3):0
    END
    CASE "far.rpl-above-cpl"
    AT
    jmp (KC | 3):0
    END
    CASE "far.conforming"
    jmp CONF:.conforming
.conforming:
    AT
    ud2
    END
    CASE "far.conforming-rpl3"
    jmp (CONF | 3):.conforming3
.conforming3:
    AT
    ud2
    END
    CASE "far.conforming-dpl3"
    AT
    jmp (CONF3 | 3):0
    END
    CASE "far.beyond-limit"
    AT
    jmp TINY_CODE:0x1000
    END
    CASE "far.call-beyond-limit"
    AT
    call TINY_CODE:0x1000
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL
    CASE "far.gate-not-present"
    AT
    call CALL_NP:0
    END
    CASE "far.gate-null"
    AT
    call CALL_NULL:0
    END
    CASE "far.gate-data"
    AT
    call CALL_DATA:0
    END
    CASE "far.gate-beyond"
    AT
    call CALL_BEYOND:0
    END
    CASE "far.gate-ring3-dpl0"
    RING3
    AT
    call CALL_GATE:0
    END
    CASE "far.busy-tss"
    AT
    jmp TR:0
    END
    CASE "far.tss-not-present"
    AT
    jmp NP_TSS:0
    END
    CASE "far.task-gate-busy"
    AT
    call TASK_GATE:0
    END
    CASE "far.tiny-tss"
    AT
    jmp TINY_TSS:0
    END
    CASE "far.tss-rpl3"
    AT
    jmp (NP_TSS | 3):0
    END
    CASE "far.register"
    AT
    db 0xFF, 0xE8                           ; jmp far eax
    END
    CASE "far.ring3-to-ring0"
    RING3
    AT
    jmp KC:0
    END

;; SDM Vol. 2, RET and IRET: returns to the same and an outer ring
    CASE "retf.null"
    push dword 0
    push dword 0
    AT
    retf
    END
    CASE "retf.data"
    push dword KD
    push dword 0
    AT
    retf
    END
    CASE "retf.not-present"
    push dword NP_CODE
    push dword 0
    AT
    retf
    END
    CASE "retf.dpl-not-rpl"
    push dword UC32
    push dword 0
    AT
    retf
    END
    CASE "retf.outer-ss-null"
    push dword 0
    push dword STACK3
    push dword UC32 | 3
    push dword 0
    AT
    retf
    END
    CASE "retf.outer-ss-rpl"
    push dword UD
    push dword STACK3
    push dword UC32 | 3
    push dword 0
    AT
    retf
    END
    CASE "retf.outer-ss-not-present"
    DESC RESERVED, 0, 0xFFFFF, (A_DATA | DPL(3)) & ~A_PRESENT, F_G | F_D
    push dword RESERVED | 3
    push dword STACK3
    push dword UC32 | 3
    push dword 0
    AT
    retf
    END
    CASE "retf.inner"
    RING3
    push dword KC
    push dword 0
    AT
    retf
    END
    CASE "retf.outer"
    push dword UD | 3
    push dword STACK3
    push dword UC32 | 3
    push dword .outer
    retf
.outer:
    AT
    cli
    ENDX
    SHOW16 r_ss, r_ds, r_es
    SHOW r_sp
    EOL
    CASE "retf.outer-imm"
    push dword UD | 3
    push dword STACK3
    push dword 0
    push dword 0
    push dword UC32 | 3
    push dword .outer_imm
    retf 8
.outer_imm:
    AT
    cli
    ENDX
    SHOW16 r_ss, r_ds, r_es
    SHOW r_sp
    EOL
    CASE "iret.null-cs"
    push dword 2
    push dword 0
    push dword 0
    AT
    iretd
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL
    CASE "iret.nt-no-backlink"
    mov dword [TSS], 0
    push dword 0x4002
    popfd
    AT
    iretd
    END
    CASE "iret.nt-backlink-not-busy"
    mov dword [TSS], NP_TSS
    push dword 0x4002
    popfd
    AT
    iretd
    END
    CASE "iret.nt-backlink-ldt"
    mov dword [TSS], NP_TSS | 4
    push dword 0x4002
    popfd
    AT
    iretd
    END
    CASE "iret.16"
    push word 2
    push word KC
    push word .iret16
    db 0x66
    iretd
.iret16:
    AT
    ud2
    END
    CASE "iret.flags"
    push dword 0x00244CD7 | 0x3000          ; ID AC NT IOPL and DF
    push dword KC
    push dword .iret_flags
    iretd
.iret_flags:
    AT
    ud2
    END

;; SDM Vol. 2, LLDT, LTR, LGDT, VERR, LAR, LSL, ARPL
    CASE "lldt.data"
    mov eax, KD
    AT
    lldt ax
    END
    CASE "lldt.not-present"
    mov eax, NP_LDT
    AT
    lldt ax
    END
    CASE "lldt.in-ldt"
    mov eax, LDT_SEL | 4
    AT
    lldt ax
    END
    CASE "lldt.null"
    mov eax, 3
    lldt ax
    sldt ecx
    ENDX
    SHOW r_cx
    EOL
    CASE "ltr.null"
    xor eax, eax
    AT
    ltr ax
    END
    and byte [GDT + TR + 5], ~2
    mov eax, TR
    ltr ax
    CASE "ltr.busy"
    mov eax, BUSY_TSS
    AT
    ltr ax
    END
    CASE "ltr.not-present"
    mov eax, NP_TSS
    AT
    ltr ax
    END
    CASE "ltr.in-ldt"
    mov eax, NP_TSS | 4
    AT
    ltr ax
    END
    CASE "ltr.data"
    mov eax, KD
    AT
    ltr ax
    END
    CASE "str"
    mov edx, -1
    str edx
    str ecx
    ENDX
    SHOW r_cx, r_dx
    mov eax, [GDT + TR + 4]
    mov [value], eax
    SHOW value
    EOL
    CASE "ring3.lldt"
    RING3
    AT
    lldt ax
    END
    CASE "ring3.ltr"
    RING3
    AT
    ltr ax
    END
    CASE "ring3.lgdt"
    RING3
    AT
    lgdt [gdtr]
    END
    CASE "ring3.lidt"
    RING3
    AT
    lidt [idtr]
    END
    CASE "ring3.lmsw"
    RING3
    AT
    lmsw ax
    END
    CASE "ring3.smsw"
    RING3
    smsw eax
    AT
    cli
    ENDX
    SHOW16 r_ax
    EOL
    CASE "ring3.sgdt"
    RING3
    sgdt [value]
    AT
    cli
    ENDX
    SHOW16 value
    SHOW value + 2
    EOL
    CASE "ring3.sidt"
    RING3
    sidt [value]
    AT
    cli
    ENDX
    SHOW16 value
    SHOW value + 2
    EOL
    CASE "ring3.hlt"
    RING3
    AT
    hlt
    END
    CASE "ring3.clts"
    RING3
    AT
    clts
    END
    CASE "ring3.invlpg"
    RING3
    AT
    invlpg [0]
    END
    CASE "ring3.wbinvd"
    RING3
    AT
    wbinvd
    END
    CASE "ring3.invd"
    RING3
    AT
    invd
    END
    CASE "ring3.rdmsr"
    RING3
    mov ecx, 0x10
    AT
    rdmsr
    END
    CASE "ring3.wrmsr"
    RING3
    AT
    wrmsr
    END
    CASE "ring3.mov-cr0"
    RING3
    AT
    mov eax, cr0
    END
    CASE "ring3.mov-dr"
    RING3
    AT
    mov eax, dr7
    END
    CASE "ring3.in"
    RING3
    AT
    in al, 0x80
    END
    CASE "ring3.out"
    RING3
    AT
    out 0x80, al
    END
    CASE "ring3.insb"
    RING3
    mov edi, DATA
    mov edx, 0x80
    AT
    insb
    END
    CASE "ring3.sti"
    RING3
    AT
    sti
    END
    CASE "ring3.sti-iopl3"
    RING3 0x3002
    AT
    sti
    cli
    END
    CASE "ring3.popf-keeps"
    RING3 0x1002                            ; IOPL 1
    push dword 0x00243EFF & ~0x100          ; IF, IOPL 3 and others
    popfd
    AT
    cli
    END
    CASE "ring0.popf"
    push dword 0x001A3002                   ; VIP, VIF, VM are not taken
    popfd
    AT
    ud2
    END
    CASE "ring0.sysexit-cs-null"
    xor eax, eax
    xor edx, edx
    mov ecx, 0x174
    wrmsr
    AT
    sysexit
    END
    CASE "ring3.sysenter-cs-null"
    RING3
    AT
    sysenter
    END
    CASE "ring3.verr"
    RING3
    mov eax, KD
    verr ax
    setz bl
    mov eax, UD
    verr ax
    setz bh
    mov eax, CONF
    verr ax
    setz cl
    mov eax, 0x1008
    verr ax
    setz ch
    AT
    cli
    ENDX
    SHOW16 r_bx, r_cx
    EOL
    CASE "verify"
    xor ebx, ebx
    xor ecx, ecx
    mov eax, RO_DATA
    verw ax
    setz bl
    mov eax, KC
    verw ax
    setz bh
    mov eax, X_CODE
    verr ax
    setz cl
    mov eax, NP_DATA                        ; presence does not matter
    verr ax
    setz ch
    ENDX
    SHOW r_bx, r_cx
    EOL
    CASE "lar"
    mov eax, UC32
    lar ebx, eax
    mov eax, CALL_GATE
    lar ecx, eax
    mov edx, 0x55555555
    mov eax, RESERVED
    mov dword [GDT + RESERVED + 4], (A_INT32 << 8)
    lar edx, eax
    mov eax, BUSY_TSS
    lar esi, eax
    mov eax, KD | 3                         ; RPL
    mov edi, 0x55555555
    lar edi, eax
    ENDX
    SHOW r_bx, r_cx, r_dx, r_si, r_di
    EOL
    CASE "lsl"
    mov eax, UC32
    lsl ebx, eax
    mov ecx, 0x55555555
    mov eax, CALL_GATE                      ; has no limit
    lsl ecx, eax
    mov eax, TR
    lsl edx, eax
    mov eax, TINY_CODE
    lsl esi, eax
    ENDX
    SHOW r_bx, r_cx, r_dx, r_si
    EOL
    CASE "arpl"
    xor ebx, ebx
    mov eax, 0x10
    mov ecx, 0x3
    arpl ax, cx
    setz bl
    mov edx, 0x13
    mov ecx, 0
    arpl dx, cx
    setz bh
    ENDX
    SHOW r_ax, r_bx, r_dx
    EOL

;; SDM Vol. 3, 6.12.1 and 6.13: interrupts through gates; error codes name the gate, with EXT set for events that no INT n made
    CASE "int.dpl"
    RING3
    AT
    int 0x80
    END
    CASE "int.dpl-of-exception"
    RING3
    AT
    int 13
    END
    CASE "int3.dpl"
    RING3
    AT
    int3
    END
    CASE "int.beyond-idt"
    mov word [value], 0x7F7
    mov dword [value + 2], IDT
    lidt [value]
    AT
    int 0xFF
    ENDX
    lidt [idtr]
    EOL
    CASE "int.gate-not-present"
    and byte [IDT + 0x80 * 8 + 5], ~A_PRESENT
    AT
    int 0x80
    END
    CASE "int.gate-type"
    mov byte [IDT + 0x80 * 8 + 5], A_CALL32
    AT
    int 0x80
    END
    CASE "int.gate-null-cs"
    mov byte [IDT + 0x80 * 8 + 5], A_INT32
    mov word [IDT + 0x80 * 8 + 2], 0
    AT
    int 0x80
    END
    CASE "int.gate-data"
    mov word [IDT + 0x80 * 8 + 2], KD
    AT
    int 0x80
    END
    CASE "int.gate-np-code"
    mov word [IDT + 0x80 * 8 + 2], NP_CODE
    AT
    int 0x80
    END
    CASE "int.gate-beyond"
    mov word [IDT + 0x80 * 8 + 2], 0x1008
    AT
    int 0x80
    END
    CASE "int.gate-ring3"
    mov word [IDT + 0x80 * 8 + 2], UC32
    AT
    int 0x80
    END
    CASE "int.task-gate-busy"
    mov word [IDT + 0x80 * 8 + 2], TR
    mov byte [IDT + 0x80 * 8 + 5], A_TASK
    AT
    int 0x80
    END
    CASE "int.task-gate-ldt"
    mov word [IDT + 0x80 * 8 + 2], NP_TSS | 4
    AT
    int 0x80
    END
    CASE "int.task-gate-np"
    mov word [IDT + 0x80 * 8 + 2], NP_TSS
    AT
    int 0x80
    END
    CASE "exception.gate-not-present"
    and byte [IDT + 6 * 8 + 5], ~A_PRESENT
    AT
    ud2
    ENDX
    or byte [IDT + 6 * 8 + 5], A_PRESENT
    EOL
    CASE "int3.gate-not-present"
    and byte [IDT + 3 * 8 + 5], ~A_PRESENT
    AT
    int3
    ENDX
    or byte [IDT + 3 * 8 + 5], A_PRESENT
    EOL
    CASE "exception.gate-np-code"
    mov word [IDT + 6 * 8 + 2], NP_CODE
    AT
    ud2
    ENDX
    mov word [IDT + 6 * 8 + 2], KC
    EOL
    CASE "icebp.dpl-ignored"
    RING3
    AT
    db 0xF1
    END

;; SDM Vol. 3, 6.8.1: interrupt gates clear IF, trap gates do not; both clear TF, NT, RF, VM
    CASE "gate.interrupt"
    push dword 0x4002
    popfd
    sti
    AT
    ud2
    ENDX
    mov eax, [r_hfl]
    and eax, SYSFLAGS
    mov [value], eax
    SHOW value
    EOL
    CASE "gate.trap"
    mov byte [IDT + 6 * 8 + 5], A_TRAP32
    push dword 0x4002
    popfd
    sti
    AT
    ud2
    ENDX
    cli
    mov eax, [r_hfl]
    and eax, SYSFLAGS
    mov [value], eax
    SHOW value
    EOL
    FINISH
PROGRAM_END
