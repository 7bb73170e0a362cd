; Privilege transitions of protected mode: call gates, stacks from the TSS, 286 gates, conforming code, returns, I/O permission.
%define MODE 32
%include "program.inc"

%define RING1_CODE 0x60
%define RING1_DATA 0x68
%define GATE0      0x70         ; 386 call gates, DPL 3, to ring 0
%define GATE0_4    0x78         ; with 4 parameters
%define GATE1      0x80         ; to ring 1
%define GATE16     0x88         ; 286 gate with 2 parameters
%define GATE_CONF  0x90         ; to conforming code
%define CONF       0x98
%define RING2_DATA 0xA0
%define GATE_SAME  0xA8         ; to ring 3 itself
%define BAD_STACK  0xB0
%define TSS16      0xB8
%define RING0_16   0xC0         ; 16-bit code of ring 0
%define GATE_TO16  0xC8         ; 386 gate to 16-bit code
%define RING2_CODE 0xD0
%define CALL_LIMIT 0xD8         ; beyond the limit
%define TINY_CODE  0xE0

main:
    DESC RING1_CODE, 0, 0xFFFFF, A_CODE | DPL(1), F_G | F_D
    DESC RING1_DATA, 0, 0xFFFFF, A_DATA | DPL(1), F_G | F_D
    DESC RING2_CODE, 0, 0xFFFFF, A_CODE | DPL(2), F_G | F_D
    DESC RING2_DATA, 0, 0xFFFFF, A_DATA | DPL(2), F_G | F_D
    DESC CONF, 0, 0xFFFFF, A_CONF, F_G | F_D
    DESC RING0_16, 0, 0xFFFF, A_CODE, 0
    DESC TINY_CODE, V(at_beyond) - 0x1000, 0xFFF, A_CODE, F_D
    GATE GDT + GATE0, KC, V(at_ring0), A_CALL32 | DPL(3)
    GATE GDT + GATE0_4, KC, V(at_ring0), A_CALL32 | DPL(3), 4
    GATE GDT + GATE1, RING1_CODE | 1, V(at_ring1), A_CALL32 | DPL(3)
    GATE GDT + GATE16, KC, V(at_ring0), A_CALL16 | DPL(3), 2
    GATE GDT + GATE_CONF, CONF, V(at_conforming), A_CALL32 | DPL(3)
    GATE GDT + GATE_SAME, UC32, V(at_same), A_CALL32 | DPL(3)
    GATE GDT + GATE_TO16, RING0_16, V(at_ring0_16), A_CALL32 | DPL(3)
    GATE GDT + CALL_LIMIT, TINY_CODE, 0x1000, A_CALL32 | DPL(3)
    mov dword [TSS + 16], RING1_DATA | 1
    mov dword [TSS + 24], RING2_DATA | 2
    jmp cases

; Where gates lead: what the stack holds is copied to `seen`, and the case ends.
at_ring0:
    mov ax, KD
    mov ds, ax
    mov es, ax
    mov [seen_sp], esp
    mov [seen_ss], ss
    mov [seen_cs], cs
    mov esi, esp
    mov edi, seen
    mov ecx, 8
    cld
    rep movsd
    int 0xFF
at_ring1:
    mov ax, RING1_DATA | 1
    mov ds, ax
    mov es, ax
    mov [seen_sp], esp
    mov [seen_ss], ss
    mov [seen_cs], cs
    mov esi, esp
    mov edi, seen
    mov ecx, 8
    cld
    rep movsd
    int 0xFF
at_beyond:
    int 0xFF
at_conforming:
    mov [seen_sp], esp
    mov [seen_ss], ss
    mov [seen_cs], cs
    int 0xFF
at_same:
    mov [seen_sp], esp
    mov [seen_ss], ss
    mov [seen_cs], cs
    int 0xFF
at_return:
    retf
at_return4:
    retf 16
bits 16
at_ring0_16:
    db 0x66
    retf
bits 32

; Of #TS in ring 3's conforming code: without a stack switch, so that a bad stack in the TSS can be told.
at_bad_stack:
    mov [seen_sp], esp
    pop dword [seen]
    pop dword [seen + 4]
    pop dword [seen + 8]
    mov [seen_cs], cs
    mov dword [TSS + 4], STACK0
    mov dword [TSS + 8], KD
    int 0xFF

align 8
seen_sp: dd 0, 0
seen_ss: dd 0, 0
seen_cs: dd 0, 0
seen:    times 8 dd 0
tr16:    dw 0

cases:
;; SDM Vol. 3, 5.8.3 to 5.8.5: call gates; a more privileged target gets a new stack with SS, ESP, parameters, CS, EIP
    CASE "call.same"
    AT
    call (GATE0):0
    ENDX
    SHOW16 seen_cs, seen_ss
    mov eax, [case_sp]
    sub eax, [seen_sp]
    mov [value], eax
    mov eax, [seen]
    sub eax, [case_at]
    mov [value + 8], eax
    SHOW value, value + 8
    SHOW16 seen + 4
    EOL
    CASE "call.inner"
    RING3
    AT
    call GATE0:0x12345678                   ; the offset does not matter
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    mov eax, [seen]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    SHOW seen + 4, seen + 8, seen + 12
    EOL
    CASE "call.inner-parameters"
    RING3
    push dword 0x44444444
    push dword 0x33333333
    push dword 0x22222222
    push dword 0x11111111
    AT
    call GATE0_4:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    SHOW seen + 4, seen + 8, seen + 12, seen + 16, seen + 20, seen + 24, seen + 28
    EOL
    CASE "call.inner-ring1"
    RING3
    AT
    call GATE1:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    SHOW seen + 4, seen + 8, seen + 12
    EOL
    CASE "call.286-gate"
    RING3
    push dword 0x22221111
    AT
    call GATE16:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp, seen + 4, seen + 8
    SHOW16 seen + 2
    EOL
    CASE "call.conforming"
    RING3
    AT
    call GATE_CONF:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    EOL
    CASE "jmp.conforming"
    RING3
    AT
    jmp GATE_CONF:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    EOL
    CASE "jmp.inner"
    RING3
    AT
    jmp GATE0:0
    END
    CASE "jmp.same"
    RING3
    AT
    jmp GATE_SAME:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    EOL
    CASE "call.rpl-3-of-dpl-3"
    RING3
    AT
    call (GATE0 | 3):0
    ENDX
    SHOW16 seen_cs
    EOL
    CASE "call.outer"
    AT
    call GATE_SAME:0                        ; from ring 0 to ring 3
    END
    CASE "call.offset-beyond-limit"
    RING3
    AT
    call CALL_LIMIT:0
    END
    CASE "call.dpl-below-rpl"
    GATE GDT + BAD_STACK, KC, V(at_ring0), A_CALL32 | DPL(0)
    AT
    call (BAD_STACK | 1):0
    END

;; SDM Vol. 3, 5.8.6: returns to an outer ring release parameters on both stacks and clear data segments that the outer ring may not have
    CASE "retf.round-trip"
    GATE GDT + BAD_STACK, KC, V(at_return), A_CALL32 | DPL(3)
    RING3
    mov ax, UD
    mov gs, ax
    mov ax, CONF
    mov fs, ax
    call BAD_STACK:0
    AT
    cli
    ENDX
    SHOW r_sp
    SHOW16 r_ss, r_ds, r_fs, r_gs
    EOL
    CASE "retf.parameters"
    GATE GDT + BAD_STACK, KC, V(at_return4), A_CALL32 | DPL(3), 4
    RING3
    push dword 4
    push dword 3
    push dword 2
    push dword 1
    call BAD_STACK:0
    AT
    cli
    ENDX
    SHOW r_sp
    EOL
    CASE "retf.from-16-bit-code"
    RING3
    call GATE_TO16:0
    AT
    cli
    ENDX
    SHOW r_sp
    EOL
    CASE "retf.to-ring1"
    push dword RING1_DATA | 1
    push dword STACK1
    push dword RING1_CODE | 1
    push dword .ring1
    retf
.ring1:
    AT
    hlt
    ENDX
    SHOW16 r_ss
    EOL
    CASE "ring1.to-ring0"
    push dword RING1_DATA | 1
    push dword STACK1
    push dword RING1_CODE | 1
    push dword .ring1_up
    retf
.ring1_up:
    AT
    call GATE0:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen + 8, seen + 12
    EOL
    CASE "ring2.to-ring1"
    push dword RING2_DATA | 2
    push dword STACK2
    push dword RING2_CODE | 2
    push dword .ring2_up
    retf
.ring2_up:
    AT
    call GATE1:0
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp, seen + 8, seen + 12
    EOL
    CASE "ring1.privileged"
    push dword RING1_DATA | 1
    push dword STACK1
    push dword 2
    push dword RING1_CODE | 1
    push dword .ring1_privileged
    iretd
.ring1_privileged:
    AT
    mov eax, cr3
    END

;; SDM Vol. 3, 6.12.1.3: errors in the stack that the TSS names: #TS(selector), #SS(selector) when it is not present; EXT for an exception
    GATE IDT + 10 * 8, CONF, V(at_bad_stack), A_INT32
    GATE IDT + 12 * 8, CONF, V(at_bad_stack), A_INT32
    DESC BAD_STACK, 0, 0xFFFFF, A_DATA & ~A_PRESENT, F_G | F_D
%macro BAD_STACK_CASE 2
    CASE %1
    mov dword [TSS + 8], %2
    RING3
    AT
    int 0xFF
    RESUME
    call report_name
    SHOW16 seen
    mov eax, [seen + 4]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    SHOW16 seen + 8, seen_cs
    EOL
%endmacro
    BAD_STACK_CASE "stack.null", 0
    BAD_STACK_CASE "stack.rpl", KD | 3
    BAD_STACK_CASE "stack.dpl", UD
    BAD_STACK_CASE "stack.code", KC
    BAD_STACK_CASE "stack.system", TR
    BAD_STACK_CASE "stack.beyond", 0x1008
    BAD_STACK_CASE "stack.not-present", BAD_STACK
    CASE "stack.exception"
    mov dword [TSS + 8], UD
    RING3
    AT
    ud2                                     ; benign: no double fault
    RESUME
    call report_name
    SHOW16 seen
    mov eax, [seen + 4]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    SHOW16 seen + 8, seen_cs
    EOL
    CASE "stack.call-gate"
    mov dword [TSS + 8], KD | 3
    RING3
    AT
    call GATE0:0
    RESUME
    call report_name
    SHOW16 seen
    mov eax, [seen + 4]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    SHOW16 seen + 8, seen_cs
    EOL
    DESC BAD_STACK, 0, 0xFFF, A_DATA, F_D
    CASE "stack.limit"
    mov dword [TSS + 8], BAD_STACK
    RING3
    AT
    int 0xFF
    RESUME
    call report_name
    SHOW16 seen
    mov eax, [seen + 4]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    EOL
    CASE "stack.call-gate-limit"
    mov dword [TSS + 8], BAD_STACK
    RING3
    AT
    call GATE0:0
    RESUME
    call report_name
    SHOW16 seen
    mov eax, [seen + 4]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    EOL

    GATE IDT + 10 * 8, KC, V(stubs) + 10 * STUB_SIZE, A_INT32
    GATE IDT + 12 * 8, KC, V(stubs) + 12 * STUB_SIZE, A_INT32
    mov dword [TSS + 8], KD

;; SDM Vol. 3, 6.12.1 and 5.8.5: interrupt gates to conforming code keep the ring; 286 gates push 16-bit values
    GATE IDT + 0x82 * 8, KC16, V(at_int16), A_INT16 | DPL(3)
    GATE IDT + 0x83 * 8, KC, V(at_int286), A_INT16 | DPL(3)
    GATE IDT + 0x84 * 8, CONF, V(at_conforming), A_TRAP32 | DPL(3)
    jmp after_handlers
at_int286:
    mov ax, KD
    mov ds, ax
    mov es, ax
    mov [seen_sp], esp
    mov [seen_ss], ss
    mov [seen_cs], cs
    mov esi, esp
    mov edi, seen
    mov ecx, 8
    cld
    rep movsd
    int 0xFF
bits 16
at_int16:
    iret                                    ; of 16 bits
bits 32
after_handlers:
    CASE "int.286-inner"
    RING3
    AT
    int 0x83
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    mov eax, [seen]
    movzx eax, ax
    sub eax, [case_at]
    mov [value], eax
    SHOW16 value, seen + 2, seen + 4, seen + 6, seen + 8
    EOL
    CASE "int.286-same"
    AT
    int 0x83
    ENDX
    SHOW16 seen_cs
    mov eax, [case_sp]
    sub eax, [seen_sp]
    mov [value], eax
    SHOW value
    EOL
    CASE "int.conforming"
    RING3
    AT
    int 0x84
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW seen_sp
    EOL
    CASE "int.286-iret"
    mov esp, 0xFFE0                         ; ESP's high half is not saved by a 286 gate
    push dword 0x5A5A5A5A
    int 0x82
    AT
    ud2
    ENDX
    SHOW r_sp
    EOL

;; SDM Vol. 2, IRET: to an outer ring; flags by ring and IOPL
    CASE "iret.outer-nulls-segments"
    mov ax, UD | 3
    mov gs, ax
    mov ax, KD
    mov fs, ax
    mov es, ax
    push dword UD | 3
    push dword STACK3
    push dword 2
    push dword UC32 | 3
    push dword .outer
    iretd
.outer:
    AT
    cli
    ENDX
    SHOW16 r_ss, r_es, r_fs, r_gs
    SHOW r_sp
    EOL
    CASE "iret.ring3-flags"
    RING3
    push dword 0x00243ED7 & ~0x200          ; neither IF nor IOPL can be changed
    push dword UC32 | 3
    push dword .flags
    iretd
.flags:
    AT
    cli
    END
    CASE "iret.ring3-to-ring0"
    RING3
    push dword 2
    push dword KC
    push dword 0
    AT
    iretd
    END
    CASE "iret.ring3-nt"
    RING3 0x4002
    mov dword [TSS], 0
    AT
    iretd
    END
    CASE "iret.outer-ss-null"
    push dword 0
    push dword STACK3
    push dword 2
    push dword UC32 | 3
    push dword 0
    AT
    iretd
    END
    CASE "iret.outer-beyond-limit"
    DESC BAD_STACK, V(at_beyond) - 0x1000, 0xFFF, A_CODE | DPL(3), F_D
    push dword UD | 3
    push dword STACK3
    push dword 2
    push dword BAD_STACK | 3
    push dword 0x1000
    AT
    iretd
    END
    CASE "iret.16-bit-outer"
    DESC BAD_STACK, 0, 0xFFFF, A_DATA | DPL(3), 0
    mov esp, 0x12340000 + 0xFFF0
    and esp, 0xFFFF
    push word BAD_STACK | 3
    push word 0x8000
    push word 2
    push word UC32 | 3
    push word .outer16
    db 0x66
    iretd
.outer16:
    AT
    cli
    ENDX
    SHOW16 r_ss, r_sp
    EOL

;; SDM Vol. 1, 19.5.2: the I/O permission bitmap of the TSS
    CASE "io.no-bitmap"
    RING3
    AT
    in al, 0x61
    END
    mov word [TSS + 102], 0x68
    mov word [GDT + TR], 0x68 + 0x20        ; bitmap to port 0xFF and its end
    and byte [GDT + TR + 5], ~2
    mov eax, TR
    ltr ax
    mov ecx, 0x21
.fill:
    mov byte [TSS + 0x68 + ecx - 1], 0xFF
    dec ecx
    jnz .fill
    CASE "io.denied"
    RING3
    AT
    in al, 0x80
    END
    CASE "io.allowed"
    and byte [TSS + 0x68 + 16], ~1
    RING3
    AT
    out 0x80, al
    END
    CASE "io.word-half-denied"
    RING3
    AT
    out 0x80, ax
    END
    CASE "io.word-allowed"
    and byte [TSS + 0x68 + 16], ~3
    RING3
    AT
    out 0x80, ax
    END
    CASE "io.word-across-bytes"
    and byte [TSS + 0x68 + 16], ~0x80
    RING3
    AT
    out 0x87, ax
    END
    CASE "io.beyond-limit"
    RING3
    mov dx, 0x100
    AT
    out dx, al
    END
    CASE "io.last"                          ; with the byte of ones that ends the bitmap
    and byte [TSS + 0x68 + 0x1F], ~0x80
    RING3
    AT
    out 0xFF, al
    END
    CASE "io.iopl3"
    RING3 0x3002
    mov dx, 0x1000
    AT
    out dx, al
    END
    CASE "io.iopl-2"
    RING3 0x2002
    AT
    in al, 0x61
    END
    FINISH
PROGRAM_END
