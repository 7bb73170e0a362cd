; Faults while faults are delivered: what becomes a double fault, what is handled in turn, double faults through task gates and from ring 3.
%define MODE 32
%include "program.inc"
%include "paging32.inc"

%define DF_TSS  0x60
%define NP_CODE 0x68

main:
    DESC DF_TSS, V(df_tss), 0x67, A_TSS32, 0
    DESC NP_CODE, 0, 0xFFFFF, A_CODE & ~A_PRESENT, F_G | F_D
    mov dword [df_tss + 28], DIRECTORY
    mov dword [df_tss + 32], in_double_fault
    mov dword [df_tss + 36], 2
    mov dword [df_tss + 56], STACKDF
    mov dword [df_tss + 72], KD
    mov dword [df_tss + 76], KC
    mov dword [df_tss + 80], KD
    mov dword [df_tss + 84], KD
    mov word [df_tss + 102], 0x68
    mov dword [TSS + 28], DIRECTORY
    mov edi, DIRECTORY
    mov ecx, 3 * 1024
    xor eax, eax
    rep stosd
    mov dword [DIRECTORY], TABLE | 7
    mov edi, TABLE
    mov eax, 7
    mov ecx, 1024
.identity:
    stosd
    add eax, 0x1000
    loop .identity
    mov dword [DIRECTORY + (WINDOW >> 22) * 4], TABLE2 | 7
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    jmp cases

align 8
df_tss: times 104 db 0

; The task of #DF: makes the frame that handlers know of the interrupted task's state, and ends the case in the old task.
in_double_fault:
    pop dword [r_err]
    mov dword [r_vec], 8
    mov eax, [TSS + 32]
    mov [r_ip], eax
    mov eax, [TSS + 36]
    mov [r_fl], eax
    mov eax, [TSS + 56]
    mov [r_sp], eax
    mov eax, [TSS + 76]
    mov [r_cs], eax
    mov eax, [case_sp]
    mov [TSS + 56], eax
    mov eax, [case_resume]
    mov [TSS + 32], eax
    mov dword [TSS + 36], 2
    mov word [TSS + 72], KD
    mov word [TSS + 76], KC
    mov word [TSS + 80], KD
    mov word [TSS + 84], KD
    iretd
    jmp in_double_fault

; Makes vectors' gates not present, and present again.
%macro BREAK_GATE 1
    and byte [IDT + (%1) * 8 + 5], ~A_PRESENT
%endmacro
%macro MEND_GATE 1
    or byte [IDT + (%1) * 8 + 5], A_PRESENT
%endmacro

cases:
;; SDM Vol. 3, 6.15 (#DF), table 6-5: benign, contributory, page faults. RF of what an abort saves, and which byte of a frame faults, are not told
    CASE "benign-then-contributory"         ; #UD, then #NP: handled in turn
    BREAK_GATE 6
    AT
    ud2
    RESUME
    MEND_GATE 6
    call report
    EOL
    CASE "contributory-then-contributory"   ; #GP, then #NP
    BREAK_GATE 13
    mov eax, KC32 | 4
    AT
    mov ds, ax
    RESUME
    MEND_GATE 13
    call report
    EOL
    CASE "de-then-contributory"
    BREAK_GATE 0
    xor ecx, ecx
    AT
    div ecx
    RESUME
    MEND_GATE 0
    call report
    EOL
    CASE "page-then-contributory"
    BREAK_GATE 14
    AT
    mov eax, [WINDOW]
    RESUME
    MEND_GATE 14
    mov eax, cr2
    mov [value], eax
    call report
    SHOW value
    EOL
    CASE "contributory-page-page"           ; #GP, #PF because its gate's page is missing, #PF again for gate 14's: #DF, whose gate is there
    mov dword [PTE(0)], FRAME_A | 7
    mov dword [PTE(1)], 0
    mov eax, cr3
    mov cr3, eax
    mov esi, IDT                            ; gates 0 to 12 at the end of the page before
    mov edi, FRAME_A + 0x1000 - 13 * 8
    mov ecx, 13 * 2
    rep movsd
    mov word [value], 0x7FF
    mov dword [value + 2], WINDOW + 0x1000 - 13 * 8
    lidt [value]
    mov eax, KC32 | 4
    AT
    mov ds, ax
    RESUME
    lidt [idtr]
    mov eax, cr2
    mov [value + 16], eax
    call report
    SHOW value + 16
    EOL
    CASE "int-then-page"                    ; int n through a table page that is missing: #PF with the supervisor's error code
    mov dword [value + 2], WINDOW + 0x1000 - 0x20 * 8
    mov esi, IDT
    mov edi, FRAME_A + 0x1000 - 0x20 * 8
    mov ecx, 0x20 * 2
    rep movsd
    lidt [value]
    AT
    int 0x20
    RESUME
    lidt [idtr]
    call report
    SHOW r_cr2
    EOL
    CASE "gate-not-present-code"            ; #UD's gate leads to code that is not present: #NP(selector + EXT)
    mov word [IDT + 6 * 8 + 2], NP_CODE
    AT
    ud2
    RESUME
    mov word [IDT + 6 * 8 + 2], KC
    call report
    EOL
    CASE "gp-gate-not-present-code"
    mov word [IDT + 13 * 8 + 2], NP_CODE
    mov eax, KC32 | 4
    AT
    mov ds, ax
    RESUME
    mov word [IDT + 13 * 8 + 2], KC
    call report
    EOL

;; SDM Vol. 3, 6.15 (#PF): the stack of the handler is missing: a second #PF while the first is delivered: #DF
    GATE IDT + 8 * 8, DF_TSS, 0, A_TASK
    CASE "page-then-page"
    mov dword [PTE(0)], 0
    mov eax, cr3
    mov cr3, eax
    mov esp, WINDOW + 0x800
    AT
    push eax
    RESUME
    mov eax, cr2
    mov [value], eax
    call report
    SHOW value, r_sp
    EOL
    CASE "ring3-no-stack"                   ; #GP of ring 3 with a bad SS0: #TS while #GP is delivered: #DF
    mov dword [TSS + 8], 0
    RING3
    AT
    cli
    RESUME
    mov dword [TSS + 8], KD
    call report
    EOL
    CASE "ring3-stack-page"                 ; #UD of ring 3 with ESP0 in a missing page: #PF, whose frame does not fit either: #DF
    mov dword [TSS + 4], WINDOW + 0x800
    RING3
    AT
    ud2
    RESUME
    mov dword [TSS + 4], STACK0
    call report
    EOL
    CASE "ring3-page-stack-page"
    mov dword [TSS + 4], WINDOW + 0x800
    RING3
    mov ebx, WINDOW + 0x400
    AT
    mov eax, [ebx]
    RESUME
    mov dword [TSS + 4], STACK0
    mov eax, cr2
    mov [value], eax
    call report
    SHOW value
    EOL
    CASE "debug-then-contributory"          ; #DB is benign
    mov dword [IDT + 8 * 8], (KC << 16) | (V(stubs) + 8 * STUB_SIZE)
    mov dword [IDT + 8 * 8 + 4], A_INT32 << 8
    BREAK_GATE 1
    AT
    db 0xF1
    RESUME
    MEND_GATE 1
    call report
    EOL
    CASE "int-then-np-then-np"              ; #NP of an int n, whose own gate is not present: #DF
    BREAK_GATE 0x80
    BREAK_GATE 11
    AT
    int 0x80
    RESUME
    MEND_GATE 0x80
    MEND_GATE 11
    call report
    EOL
    CASE "double-fault-error-code"          ; is 0
    BREAK_GATE 13
    mov eax, 0x1234
    AT
    mov ds, ax
    RESUME
    MEND_GATE 13
    call report
    EOL
    FINISH
PROGRAM_END
