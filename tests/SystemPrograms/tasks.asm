; Hardware task switches: jmp, call, iret, interrupts and exceptions through task gates; what they save, load and mark; 16-bit TSSs; errors.
%define MODE 32
%include "program.inc"

%define T2      0x60            ; 386 TSS
%define T2_GATE 0x68            ; task gate to it, DPL 3
%define T3      0x70            ; 286 TSS
%define LDT2    0x78
%define BAD     0x80
%define RING1_DATA 0x90
%define FAULT_TASKS 0x98        ; four TSSs

; Fields of a TSS.
%define T_BACK  0
%define T_ESP0  4
%define T_SS0   8
%define T_CR3   28
%define T_EIP   32
%define T_EFL   36
%define T_EAX   40
%define T_ECX   44
%define T_EDX   48
%define T_EBX   52
%define T_ESP   56
%define T_EBP   60
%define T_ESI   64
%define T_EDI   68
%define T_ES    72
%define T_CS    76
%define T_SS    80
%define T_DS    84
%define T_FS    88
%define T_GS    92
%define T_LDT   96
%define T_TRAP  100
%define T_IOMAP 102

main:
    DESC T2, V(tss2), 0x67, A_TSS32 | DPL(0), 0
    DESC T3, V(tss3), 0x2B, A_TSS16, 0
    DESC LDT2, LDT, 0xFF, A_LDT, 0
    DESC RING1_DATA, 0, 0xFFFFF, A_DATA | DPL(1), F_G | F_D
    GATE GDT + T2_GATE, T2, 0, A_TASK | DPL(3)
    mov dword [LDT + 8], 0x0000FFFF
    mov dword [LDT + 12], 0x00CF9200
    jmp cases

align 8
tss2: times 104 db 0
tss3: times 44 db 0
seen: times 16 dd 0

; EBX: a TSS. EAX: where its task begins.
make_task:
    push eax
    mov edi, ebx
    mov ecx, 26
    xor eax, eax
    rep stosd
    pop eax
    mov [ebx + T_EIP], eax
    mov dword [ebx + T_EFL], 2
    mov dword [ebx + T_ESP], STACK2
    mov dword [ebx + T_ESP0], STACK1
    mov dword [ebx + T_SS0], KD
    mov dword [ebx + T_ES], KD
    mov dword [ebx + T_CS], KC
    mov dword [ebx + T_SS], KD
    mov dword [ebx + T_DS], KD
    mov word [ebx + T_IOMAP], 0x68
    ret

; Task 1 and the descriptors as they were, whatever TR is now.
reset_tasks:
    and byte [GDT + TR + 5], ~2
    mov eax, TR
    ltr ax
    clts
    and byte [GDT + T2 + 5], ~2
    and byte [GDT + T3 + 5], ~2
    xor eax, eax
    lldt ax
    ret

%macro TASK_CASE 2              ; name, start of task 2
    call reset_tasks
    mov ebx, tss2
    mov eax, %2
    call make_task
    CASE %1
%endmacro

; What a new task sees.
task_looks:
    pushfd
    pop dword [seen]
    str [seen + 4]
    mov [seen + 8], esp
    mov eax, cr0
    mov [seen + 12], eax
    mov ax, ds
    mov [seen + 16], ax
    sldt [seen + 20]
    int 0xFF

task_returns:
    mov [seen + 24], eax
    iretd
    mov dword [seen + 28], 0x2222           ; entered again, it goes on here
    iretd

task_faults:
    ud2

%macro SHOW_SEEN 0
    and dword [seen], SYSFLAGS
    and dword [seen + 12], 0x0000000F
    SHOW seen
    SHOW16 seen + 4
    SHOW seen + 8
    SHOW16 seen + 12, seen + 16, seen + 20
%endmacro

; Busy bits of tasks 1 and 2 and the back link of task 2.
%macro SHOW_BUSY 0
    movzx eax, byte [GDT + TR + 5]
    mov [value], eax
    movzx eax, byte [GDT + T2 + 5]
    mov [value + 8], eax
    SHOW16 value, value + 8, tss2
%endmacro

cases:
;; SDM Vol. 3, 7.3: jmp marks the new task busy and the old one not; NT and the back link are left. CR0.TS is set
    TASK_CASE "jmp.tss", task_looks
    AT
    jmp T2:0
    ENDX
    SHOW_SEEN
    SHOW_BUSY
    EOL
    TASK_CASE "jmp.task-gate", task_looks
    AT
    jmp T2_GATE:0
    ENDX
    SHOW_SEEN
    SHOW_BUSY
    EOL
    TASK_CASE "jmp.saves", task_looks
    mov esi, 0x1111
    mov edi, 0x2222
    mov ebp, 0x3333
    mov ecx, 0x4444
    push dword 0x4CD7                       ; NT too
    popfd
    AT
    jmp T2:0
.saved_next:
    ENDX
    cld
    mov eax, [TSS + T_EIP]
    sub eax, [case_at]
    mov [value], eax
    SHOW value, TSS + T_EFL, TSS + T_ESI, TSS + T_EDI, TSS + T_EBP, TSS + T_ECX
    SHOW16 TSS + T_CS, TSS + T_SS, TSS + T_DS, TSS + T_LDT
    mov eax, [case_sp]
    sub eax, [TSS + T_ESP]
    mov [value], eax
    SHOW value
    EOL
;; SDM Vol. 3, 7.3 and 7.4: call sets NT, the back link, and leaves the old task busy
    TASK_CASE "call.tss", task_looks
    AT
    call T2:0
    ENDX
    SHOW_SEEN
    SHOW_BUSY
    EOL
    TASK_CASE "call.task-gate-ring3", task_looks
    RING3
    AT
    call T2_GATE:0
    ENDX
    SHOW_SEEN
    SHOW_BUSY
    SHOW16 TSS + T_CS, TSS + T_SS
    EOL
    TASK_CASE "call.tss-ring3-dpl0", task_looks
    RING3
    AT
    call T2:0
    END
    TASK_CASE "call.returns", task_returns
    mov eax, 0x5555
    mov dword [tss2 + T_EAX], 0x6666
    AT
    call T2:0
    pushfd
    pop ebx
    mov ecx, cr0
    ENDX
    SHOW seen + 24, r_ax
    and dword [r_bx], SYSFLAGS
    and dword [r_cx], 15
    SHOW r_bx
    SHOW16 r_cx
    mov eax, [tss2 + T_EFL]
    and eax, SYSFLAGS
    mov [value], eax
    SHOW value
    SHOW_BUSY
    EOL
    TASK_CASE "call.twice", task_returns
    mov dword [seen + 28], 0
    call T2:0
    call T2:0
    ENDX
    SHOW seen + 28
    SHOW_BUSY
    EOL
    TASK_CASE "call.ldt", task_looks
    mov word [tss2 + T_LDT], LDT2
    mov word [tss2 + T_DS], 0xC
    AT
    call T2:0
    ENDX
    SHOW_SEEN
    EOL
    TASK_CASE "call.itself", task_looks
    AT
    call TR:0
    END
    TASK_CASE "call.to-ring3-task", task_looks
    mov word [tss2 + T_CS], UC32 | 3
    mov word [tss2 + T_SS], UD | 3
    mov word [tss2 + T_DS], UD | 3
    mov word [tss2 + T_ES], UD | 3
    mov dword [tss2 + T_EIP], .ring3
    jmp .go
.ring3:
    AT
    cli
.go:
    call T2:0
    ENDX
    SHOW r_sp, r_hsp
    EOL

;; SDM Vol. 3, 7.3: a task in virtual-8086 mode
    TASK_CASE "call.to-vm86-task", task_looks
    mov dword [tss2 + T_EFL], 0x00020002
    mov word [tss2 + T_CS], 0x0100
    mov word [tss2 + T_SS], 0x1000
    mov word [tss2 + T_DS], 0x1234
    mov word [tss2 + T_ES], 0x5678
    mov dword [tss2 + T_ESP], 0x100
    mov dword [tss2 + T_EIP], 0
    mov byte [0x1000], 0xF4                 ; hlt
    mov dword [case_at], 0
    call T2:0
    ENDX
    SHOW r_sp
    SHOW16 r_ss, r_vm, r_vm + 8
    EOL

;; SDM Vol. 3, 6.12.2: exceptions and interrupts through task gates nest, with the error code on the new stack
    TASK_CASE "int.task-gate", task_looks
    GATE IDT + 0x90 * 8, T2, 0, A_TASK | DPL(3)
    RING3
    AT
    int 0x90
    ENDX
    SHOW_SEEN
    SHOW_BUSY
    EOL
    TASK_CASE "int.returns", task_returns
    mov eax, 0x1234
    int 0x90
    AT
    ud2
    ENDX
    SHOW r_ax
    SHOW_BUSY
    EOL
    TASK_CASE "exception.error-code", task_looks
    GATE IDT + 13 * 8, T2, 0, A_TASK
    mov eax, KC32 | 4
    AT
    mov ds, ax
    ENDX
    mov dword [IDT + 13 * 8], (KC << 16) | (V(stubs) + 13 * STUB_SIZE)
    mov dword [IDT + 13 * 8 + 4], A_INT32 << 8
    SHOW_SEEN
    mov eax, [seen + 8]
    mov eax, [eax]
    mov [value], eax
    SHOW value
    mov eax, [TSS + T_EIP]
    sub eax, [case_at]
    mov [value], eax
    SHOW value
    mov eax, [TSS + T_EFL]
    and eax, SYSFLAGS
    mov [value], eax
    SHOW value
    EOL

;; SDM Vol. 3, 7.2.6 and 7.3: the 286 TSS
    call reset_tasks
    CASE "call.286-tss"
    mov word [tss3 + 2], 0x9000             ; SP0, SS0
    mov word [tss3 + 4], KD
    mov word [tss3 + 14], task16
    mov word [tss3 + 16], 2
    mov word [tss3 + 18], 0x1111            ; AX
    mov word [tss3 + 26], 0xF800            ; SP
    mov word [tss3 + 34], KD                ; ES CS SS DS
    mov word [tss3 + 36], KC
    mov word [tss3 + 38], KD16
    mov word [tss3 + 40], KD
    mov word [tss3 + 42], 0
    mov ax, KD
    mov fs, ax
    mov eax, 0x77777777
    jmp go286
task16:
    movzx esp, sp                           ; the high halves are not defined
    mov [seen + 32], eax
    mov [seen + 36], esp
    mov ax, fs
    mov [seen + 40], ax
    int 0xFF
go286:
    AT
    call T3:0
    ENDX
    SHOW16 seen + 32, seen + 36, seen + 40
    mov eax, [GDT + T3 + 4]
    shr eax, 8
    movzx eax, al
    mov [value], eax
    SHOW16 value, tss3
    EOL

;; SDM Vol. 3, table 7-1 (checks of a task switch) and 6.15 (#TS): before the switch in the old task, after it in the new one
    ; as the SDM asks for, the handlers are tasks: of #TS, #NP, #SS and #GP
%assign i 10
%rep 4
    DESC FAULT_TASKS + (i - 10) * 8, V(fault_tss) + (i - 10) * 104, 0x67, A_TSS32, 0
    GATE IDT + i * 8, FAULT_TASKS + (i - 10) * 8, 0, A_TASK
%assign i i + 1
%endrep
%macro BAD_FIELD 3              ; name, field, selector
    call make_fault_tasks
    TASK_CASE %1, task_looks
    mov word [tss2 + %2], %3
    call T2:0
    END_BAD
%endmacro
%macro END_BAD 0
    RESUME
    call report_name
    SHOW16 r_vec, r_err
    mov eax, [tss2 + T_EIP]                 ; the new task's state, where it was loaded
    sub eax, task_looks
    mov [value], eax
    SHOW value
    SHOW16 tss2 + T_CS, tss2 + T_SS, tss2 + T_DS, r_si
    SHOW_BUSY
    EOL
%endmacro
    jmp at_errors
fault_tss: times 4 * 104 db 0
make_fault_tasks:
    mov ebx, fault_tss
    mov esi, 10
.next:
    mov eax, fault_task
    call make_task
    mov [ebx + T_EAX], esi
    mov dword [ebx + T_ESP], STACKDF
    and byte [GDT + FAULT_TASKS + (esi - 10) * 8 + 5], ~2
    add ebx, 104
    inc esi
    cmp esi, 14
    jne .next
    ret
fault_task:
    mov [r_vec], eax
    pop dword [r_err]
    str [r_si]
    mov esp, [case_sp]
    jmp [case_resume]
at_errors:
    DESC BAD, 0, 0xFFFFF, A_DATA & ~A_PRESENT, F_G | F_D
    BAD_FIELD "error.cs-null", T_CS, 0
    BAD_FIELD "error.cs-data", T_CS, KD
    BAD_FIELD "error.cs-ring3-rpl0", T_CS, UC32
    BAD_FIELD "error.ss-null", T_SS, 0
    BAD_FIELD "error.ss-code", T_SS, KC
    BAD_FIELD "error.ss-dpl", T_SS, RING1_DATA
    BAD_FIELD "error.ss-rpl", T_SS, KD | 1
    BAD_FIELD "error.ss-not-present", T_SS, BAD
    BAD_FIELD "error.ds-not-present", T_DS, BAD
    BAD_FIELD "error.es-system", T_ES, TR
    BAD_FIELD "error.gs-beyond", T_GS, 0x1008
    BAD_FIELD "error.ldt-in-ldt", T_LDT, LDT2 | 4
    BAD_FIELD "error.ldt-beyond", T_LDT, 0x1008
    BAD_FIELD "error.fs-null", T_FS, 3
    DESC BAD, 0, 0xFFFFF, A_CODE & ~A_PRESENT, F_G | F_D
    BAD_FIELD "error.cs-not-present", T_CS, BAD
    DESC BAD, LDT, 0xFF, A_LDT & ~A_PRESENT, 0
    BAD_FIELD "error.ldt-not-present", T_LDT, BAD
    DESC BAD, V(at_beyond) - 0x1000, 0xFFF, A_CODE, F_D
    jmp at_limit
at_beyond:
    int 0xFF
at_limit:
    call make_fault_tasks
    TASK_CASE "error.eip-beyond", task_looks
    mov word [tss2 + T_CS], BAD
    mov dword [tss2 + T_EIP], 0x1000
    call T2:0
    END_BAD
%assign i 10
%rep 4
    GATE IDT + i * 8, KC, V(stubs) + i * STUB_SIZE, A_INT32
%assign i i + 1
%endrep
    TASK_CASE "iret.nested-not-busy", task_looks
    mov word [TSS], T2
    push dword 0x4002
    popfd
    AT
    iretd
    ENDX
    SHOW_BUSY
    EOL
    mov word [TSS], 0

;; SDM Vol. 3, 17.3.1.5: the T flag of a new TSS: #DB before the task's first instruction, DR6.BT
    TASK_CASE "trap.t-flag", task_looks
    mov word [tss2 + T_TRAP], 1
    mov dword [case_at], task_looks
    xor eax, eax
    mov dr6, eax
    call T2:0
    ENDX
    SHOW r_dr6
    EOL

;; SDM Vol. 3, 7.3: CR3 is loaded from the new TSS
    TASK_CASE "cr3", task_reads_cr3
    mov edi, TABLES                         ; 4 MiB pages: identity
    mov ecx, 2048
    xor eax, eax
    rep stosd
    mov dword [TABLES], 0x87
    mov dword [TABLES + 0x1000], 0x87
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, TABLES
    mov cr3, eax
    mov dword [TSS + T_CR3], TABLES
    mov dword [tss2 + T_CR3], TABLES + 0x1000
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp go_cr3
task_reads_cr3:
    mov eax, cr3
    mov [seen], eax
    iretd
go_cr3:
    call T2:0
    mov ebx, cr3
    ENDX
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    SHOW seen, r_bx
    EOL
    FINISH
PROGRAM_END
