; Segment limits and types in protected mode: limits in bytes and pages, expand-down, 16-bit code and stacks, wrap-around.
%define MODE 32
%include "program.inc"

%define SMALL     0x60          ; limit 0xFFF
%define PAGES     0x68          ; limit in pages: 0x1FFF
%define DOWN      0x70          ; expand-down: 0x1000 to 0xFFFFFFFF
%define DOWN16    0x78          ; expand-down, D = 0: 0x1000 to 0xFFFF
%define SHIFTED   0x80          ; base DATA
%define HIGH_BASE 0x88          ; base 0xFFFFF000
%define CODE_BASE 0x90          ; code with base DATA
%define CODE_TINY 0x98          ; code that ends after an instruction
%define STACK_SMALL 0xA0        ; 32-bit stack, limit 0xFFF
%define STACK_16  0xA8          ; 16-bit stack, limit 0xFFFF
%define STACK_DOWN 0xB0         ; expand-down stack
%define X_CODE    0xB8          ; execute-only
%define ZERO      0xC0          ; limit 0
%define DOWN_EMPTY 0xC8         ; expand-down with limit 0xFFFFFFFF: nothing is inside
%define CODE16    0xD0

%macro TRY 3                    ; name, selector, instruction
    CASE %1
    mov eax, %2
    mov es, ax
    mov eax, 0x11111111
    AT
    %3
    END
%endmacro

%macro TRY_STACK 3              ; name, selector, ESP; then the instruction and END_STACK
    CASE %1
    mov eax, %2
    mov ebx, %3
    mov ss, ax
    mov esp, ebx
%endmacro

; Back on the flat stack without one.
%macro END_STACK 0
    RESUME
    call report
    SHOW r_sp
    EOL
%endmacro

main:
    DESC SMALL, 0x40000, 0xFFF, A_DATA, F_D
    DESC PAGES, 0x40000, 1, A_DATA, F_G | F_D
    DESC DOWN, 0x40000, 0xFFF, A_DOWN, F_D
    DESC DOWN16, 0x40000, 0xFFF, A_DOWN, 0
    DESC SHIFTED, 0x40000, 0xFFFFF, A_DATA, F_G | F_D
    DESC HIGH_BASE, 0xFFFFF000, 0xFFFFF, A_DATA, F_G | F_D
    DESC CODE_BASE, 0x40000, 0xFFFFF, A_CODE, F_G | F_D
    DESC STACK_SMALL, 0x40000, 0xFFF, A_DATA, F_D
    DESC STACK_16, 0x40000, 0xFFFF, A_DATA, 0
    DESC STACK_DOWN, 0x40000, 0xFFF, A_DOWN, F_D
    DESC X_CODE, 0, 0xFFFFF, A_XCODE, F_G | F_D
    DESC ZERO, 0x40000, 0, A_DATA, F_D
    DESC DOWN_EMPTY, 0, 0xFFFFF, A_DOWN, F_G | F_D
    DESC CODE16, 0, 0xFFFF, A_CODE, 0
    ; #SS needs a good stack: a task of its own
    DESC 0xD8, V(ss_tss), 0x67, A_TSS32, 0
    mov dword [ss_tss + 28], 0
    mov dword [ss_tss + 32], on_stack_fault
    mov dword [ss_tss + 36], 2
    mov dword [ss_tss + 56], STACKDF
    mov dword [ss_tss + 72], KD
    mov dword [ss_tss + 76], KC
    mov dword [ss_tss + 80], KD
    mov dword [ss_tss + 84], KD
    mov word [ss_tss + 102], 0x68
    GATE IDT + 12 * 8, 0xD8, 0, A_TASK
    GATE IDT + 8 * 8, 0xD8, 0, A_TASK
    mov dword [DATA], 0x44332211
    mov dword [DATA + 0xFFC], 0x88776655
    jmp cases

; The task of #SS and #DF: makes the frame that the handlers know of the interrupted task's state and goes on there, in that task again.
on_stack_fault:
    pop dword [r_err]
    mov dword [r_vec], 12
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
    mov word [TSS + 80], KD
    mov word [TSS + 84], KD
    mov word [TSS + 72], KD
    mov word [TSS + 76], KC
    iretd
    jmp on_stack_fault

align 8
ss_tss: times 104 db 0

cases:
;; SDM Vol. 3, 5.3: the limit is the last byte; a word or more that reaches beyond it faults
    TRY "limit.last-byte", SMALL, {mov al, [es:0xFFF]}
    TRY "limit.beyond", SMALL, {mov al, [es:0x1000]}
    TRY "limit.word-across", SMALL, {mov ax, [es:0xFFF]}
    TRY "limit.dword-last", SMALL, {mov eax, [es:0xFFC]}
    TRY "limit.dword-across", SMALL, {mov eax, [es:0xFFD]}
    TRY "limit.write-across", SMALL, {mov [es:0xFFD], eax}
    TRY "limit.negative", SMALL, {mov eax, [es:-4]}
    TRY "limit.wraps", SMALL, {mov eax, [es:-2]}
    TRY "limit.zero-byte", ZERO, {mov al, [es:0]}
    TRY "limit.zero-word", ZERO, {mov ax, [es:0]}
    TRY "limit.pages-last", PAGES, {mov eax, [es:0x1FFC]}
    TRY "limit.pages-beyond", PAGES, {mov eax, [es:0x1FFD]}
    TRY "limit.qword", SMALL, {fld qword [es:0xFF9]}
    TRY "limit.tbyte", SMALL, {fld tword [es:0xFF7]}
    TRY "limit.tbyte-last", SMALL, {fld tword [es:0xFF6]}
    fninit
    TRY "limit.lea", SMALL, {lea eax, [es:0x2000]}
    TRY "limit.bt", SMALL, {bt dword [es:0xFFC], 31}
    CASE "limit.bt-register"
    mov eax, SMALL
    mov es, ax
    mov eax, 0x20
    AT
    bt [es:0xFFC], eax
    END
    CASE "limit.shifted-base"
    mov eax, SHIFTED
    mov es, ax
    mov eax, [es:0]
    mov ebx, [es:0xFFC]
    ENDX
    SHOW r_ax, r_bx
    EOL
    CASE "limit.base-wraps"                 ; linear addresses wrap at 4 GiB
    mov eax, HIGH_BASE
    mov es, ax
    mov eax, [es:0x41000]
    ENDX
    SHOW r_ax
    EOL

;; SDM Vol. 3, 5.3: expand-down segments: offsets above the limit, to FFFF or FFFFFFFF by the B flag
    TRY "down.at-limit", DOWN, {mov al, [es:0xFFF]}
    TRY "down.first", DOWN, {mov al, [es:0x1000]}
    TRY "down.dword-first", DOWN, {mov eax, [es:0x1000]}
    TRY "down.dword-across", DOWN, {mov eax, [es:0xFFE]}
    TRY "down.zero", DOWN, {mov al, [es:0]}
    TRY "down.far", DOWN, {mov al, [es:0x12345]}
    TRY "down.write", DOWN, {mov [es:0xFFC], eax}
    TRY "down16.inside", DOWN16, {mov eax, [es:0xFFFC]}
    TRY "down16.across-64K", DOWN16, {mov eax, [es:0xFFFD]}
    TRY "down16.beyond-64K", DOWN16, {mov al, [es:0x10000]}
    TRY "down.empty", DOWN_EMPTY, {mov al, [es:0xFFFFFFFF]}
    TRY "down.empty-zero", DOWN_EMPTY, {mov al, [es:0]}

;; SDM Vol. 3, 3.4.5.1: execute-only code cannot be read, by data accesses through CS neither
    CASE "code.execute-only"
    jmp X_CODE:.execute_only
.execute_only:
    AT
    mov eax, [cs:value]
    END
    CASE "code.readable"
    mov dword [value], 0x7654321
    mov eax, [cs:value]
    ENDX
    SHOW r_ax
    EOL

;; SDM Vol. 3, 5.3: instructions beyond the limit of CS: #GP(0), whether fetched, jumped to, or returned to
    DESC CODE_TINY, DATA, 0xF, A_CODE, F_D
    mov dword [DATA + 0x00], 0x90909090
    mov dword [DATA + 0x04], 0x90909090
    mov dword [DATA + 0x08], 0x90909090
    mov dword [DATA + 0x0C], 0x90909090
    CASE "code.runs-off"
    mov dword [case_at], 0x10
    jmp CODE_TINY:0xC
    END
    CASE "code.instruction-across"
    mov word [DATA + 0xE], 0x00B8           ; mov eax, imm32
    mov dword [case_at], 0xE
    jmp CODE_TINY:0xC
    END
    CASE "code.jump-beyond"
    mov dword [DATA + 0xC], 0x909010EB      ; jmp +16
    mov dword [case_at], 0xC
    jmp CODE_TINY:0xC
    END
    CASE "code.call-beyond"
    mov dword [DATA + 0x8], 0x0000FFE8      ; call +0xFF
    mov dword [DATA + 0xC], 0x90909000
    mov dword [case_at], 8
    jmp CODE_TINY:8
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL
    CASE "code.jcc-beyond"
    mov dword [DATA + 0x8], 0x1074C031      ; xor eax, eax; jz +16
    mov dword [case_at], 8
    jmp CODE_TINY:8
    END
    CASE "code.loop-beyond"
    mov dword [DATA + 0x8], 0x909010E2      ; loop +16
    mov ecx, 5
    mov dword [case_at], 8
    jmp CODE_TINY:8
    ENDX
    SHOW r_cx
    EOL
    CASE "code.ret-beyond"
    mov dword [DATA + 0x8], 0x909090C3
    mov dword [case_at], 8
    push dword 0x10
    jmp CODE_TINY:8
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL
    CASE "code.indirect-beyond"
    mov dword [DATA + 0x8], 0x9090E0FF      ; jmp eax
    mov eax, 0x10
    mov dword [case_at], 8
    jmp CODE_TINY:8
    END
    CASE "code.based"
    mov dword [DATA + 0x8], 0x000000E8      ; call $ + 5; pop eax; ud2
    mov dword [DATA + 0xC], 0x0B0F5800
    mov dword [case_at], 0
    jmp CODE_BASE:8
    ENDX
    SHOW r_ax
    EOL

;; SDM Vol. 2, JMP: 16-bit code with a 32-bit operand jumps to all of EIP
    CASE "code16.jump-high"
    jmp CODE16:.truncates
bits 16
.truncates:
    mov ebx, 0x10000
    AT
    jmp ebx
    END
    CASE "code16.stack32"                   ; 16-bit code on a 32-bit stack
    jmp CODE16:.stack32
bits 16
.stack32:
    push ax
    push eax
    call .next
.next:
    ENDX
    mov eax, [case_sp]
    sub eax, [r_sp]
    mov [value], eax
    SHOW value
    EOL

;; SDM Vol. 3, 6.15 (#SS) and 5.3: accesses through SS fault with #SS(0)
    TRY_STACK "stack.push-below-zero", STACK_SMALL, 0
    AT
    push eax
    END_STACK
    TRY_STACK "stack.push-last", STACK_SMALL, 0x1000
    push eax
    AT
    pop eax
    pop eax
    END_STACK
    TRY_STACK "stack.push-across", STACK_SMALL, 0x1002
    AT
    push eax
    END_STACK
    TRY_STACK "stack.ebp-based", STACK_SMALL, 0x800
    mov ebp, 0x1000
    AT
    mov eax, [ebp]
    END_STACK
    TRY_STACK "stack.esp-based", STACK_SMALL, 0x800
    AT
    mov eax, [esp + 0x800]
    END_STACK
    TRY_STACK "stack.override", STACK_SMALL, 0x800
    mov eax, 0x1000
    AT
    mov eax, [ss:eax]
    END_STACK
    TRY_STACK "stack.down-push", STACK_DOWN, 0x1000
    AT
    push eax
    END_STACK
    TRY_STACK "stack.down-ok", STACK_DOWN, 0x1004
    push eax
    AT
    push eax
    END_STACK
    TRY_STACK "stack.pusha", STACK_SMALL, 0x10
    AT
    pushad
    END_STACK
    TRY_STACK "stack.popa", STACK_SMALL, 0xFF0
    mov ebx, 0x1234
    AT
    popad
    ENDX
    SHOW r_sp
    EOL
    TRY_STACK "stack.enter", STACK_SMALL, 4
    mov ebp, 0x77
    AT
    enter 0x10, 0
    END_STACK
    TRY_STACK "stack.enter-nested", STACK_SMALL, 8
    mov ebp, 0x700
    AT
    enter 0x10, 3
    END_STACK
    TRY_STACK "stack.enter-frame-outside", STACK_SMALL, 0x20
    mov ebp, 0x77
    AT
    enter 0x100, 0
    END_STACK
    TRY_STACK "stack.leave", STACK_SMALL, 0x20
    mov ebp, 0x1000
    AT
    leave
    END_STACK
    TRY_STACK "stack.call", STACK_SMALL, 2
    AT
    call .called
.called:
    END_STACK
    TRY_STACK "stack.ret", STACK_SMALL, 0xFFE
    AT
    ret
    END_STACK
    TRY_STACK "stack.pop-memory", STACK_SMALL, 0xFFE
    AT
    pop dword [value]
    END_STACK
    TRY_STACK "stack.push-memory", STACK_SMALL, 0
    AT
    push dword [value]
    END_STACK
    TRY_STACK "stack.int", STACK_SMALL, 8   ; no room for a frame: #SS while #UD is delivered
    AT
    ud2
    END_STACK

;; SDM Vol. 1, 6.2.3: a 16-bit stack uses SP and wraps; the high half of ESP stays
    CASE "stack16.wraps"
    mov eax, STACK_16
    mov ss, ax
    mov esp, 0x12340002
    AT
    push dword 0x55667788                   ; at 0xFFFE: beyond the limit by two bytes
    END_STACK
    CASE "stack16.high-half"
    mov eax, STACK_16
    mov ss, ax
    mov esp, 0x12340100
    push dword 0x55667788
    mov ebx, esp
    mov ax, KD
    mov ss, ax
    mov esp, STACK
    ENDX
    SHOW r_bx
    mov eax, [DATA + 0xFC]
    mov [value], eax
    SHOW value
    EOL
    CASE "stack16.zero"                     ; a push at 0 goes to the top
    mov eax, STACK_16
    mov ss, ax
    mov esp, 0x12340000
    push word 0x5678
    mov ebx, esp
    mov ax, KD
    mov ss, ax
    mov esp, STACK
    ENDX
    SHOW r_bx
    EOL
    CASE "stack16.esp-addressing"           ; addresses are of the address size, not the stack's
    mov dword [DATA + 0x5000], 0x0BADF00D
    mov eax, STACK_16
    mov ss, ax
    mov esp, 0x5000
    mov ecx, [esp]
    mov ax, KD
    mov ss, ax
    mov esp, STACK
    ENDX
    SHOW r_cx
    EOL
    CASE "stack16.leave"
    mov dword [DATA + 0x200], 0x11223344
    mov eax, STACK_16
    mov ss, ax
    mov esp, 0x77770100
    mov ebp, 0x99990200
    leave
    mov ebx, esp
    mov ax, KD
    mov ss, ax
    mov esp, STACK
    ENDX
    SHOW r_bx, r_bp
    EOL
    FINISH
PROGRAM_END
