; Debug exceptions in 32-bit protected mode: single steps, breakpoint registers, DR6 and DR7, general detect, what suppresses them.
%define MODE 32
%include "program.inc"

%define CR4_DE 8

; Sets DR7 and clears DR6.
%macro SET_DR7 1
    xor eax, eax
    mov dr6, eax
    mov [r_dr6], eax
    mov eax, %1
    mov dr7, eax
%endmacro

%macro SET_BREAK 3              ; register, address, DR7
    mov eax, %2
    mov %1, eax
    SET_DR7 %3
%endmacro

%macro END_DEBUG 0
    RESUME
    xor eax, eax
    mov dr7, eax
    call report
    SHOW r_dr6
    EOL
%endmacro

; Begins single-stepping after the next instruction.
%macro STEP 0
    pushfd
    or dword [esp], 0x100
    popfd
%endmacro

; Steps until int 0xFF; the steps taken are counted in `steps`, the offsets of the first ones are kept.
%macro STEP_CASE 1
    CASE %1
    mov dword [steps], 0
    mov dword [hook], count_step
    xor eax, eax
    mov dr6, eax
%endmacro
align 8
steps:  dq 0
places: times 16 dd 0
kept:   times 5 dq 0

main:
    xor eax, eax
    mov dr0, eax
    mov dr1, eax
    mov dr2, eax
    mov dr3, eax
    mov dr7, eax
    jmp cases

; #DB: the place is entered, and the program goes on.
count_step:
    cmp dword [ebp + 48], 1
    jne .other
    mov eax, [steps]
    mov ecx, [ebp + 56]
    sub ecx, [case_at]
    cmp eax, 16
    jae .full
    mov [places + eax * 4], ecx
.full:
    inc dword [steps]
    mov eax, dr6
    mov [r_dr6], eax
    jmp unwind
.other:
    mov dword [hook], 0
    jmp entry.record

; The places, as bytes.
show_steps:
    mov dword [hook], 0
    call report_name
    SHOW16 steps
    xor ebx, ebx
.next:
    cmp ebx, [steps]
    jae .end
    cmp ebx, 16
    jae .end
    mov esi, ebx
    mov eax, [places + esi * 4]
    call put_word
    inc ebx
    jmp .next
.end:
    ret

%macro END_PLACES 0
    RESUME
    call show_steps
    EOL
%endmacro

cases:
;; SDM Vol. 3, 17.3.1.4: TF: a trap after the instruction that follows the one that set it; DR6.BS
    CASE "step.nop"
    xor eax, eax
    mov dr6, eax
    STEP
    AT
    nop
    nop
    END_DEBUG
    STEP_CASE "step.several"
    STEP
    AT
    nop
    mov eax, ebx
    push eax
    pop eax
    jmp .there
    nop
.there:
    END_PLACES
    STEP_CASE "step.rep"                    ; each iteration is a step of its own, IP at the instruction until the last
    mov edi, DATA
    mov ecx, 3
    STEP
    AT
    rep stosb
    END_PLACES
    STEP_CASE "step.rep-zero"
    mov edi, DATA
    xor ecx, ecx
    STEP
    AT
    rep stosb
    END_PLACES
    STEP_CASE "step.rep-cmps"               ; ends early
    mov esi, DATA
    mov edi, DATA + 0x100
    mov dword [DATA], 0x00020101
    mov dword [DATA + 0x100], 0x00030101
    mov ecx, 4
    STEP
    AT
    repe cmpsb
    END_PLACES
    STEP_CASE "step.mov-ss"                 ; no trap after a load of SS
    mov eax, ss
    STEP
    AT
    mov ss, ax
    nop
    nop
    END_PLACES
    STEP_CASE "step.pop-ss"
    push ss
    STEP
    AT
    pop ss
    nop
    nop
    END_PLACES
    STEP_CASE "step.popf-clears"            ; the popf that clears TF is itself stepped
    push dword 2
    STEP
    AT
    popfd
    nop
    END_PLACES
    STEP_CASE "step.int-clears"             ; an interrupt clears TF: nothing inside the handler
    STEP
    AT
    nop
    int 0xFF
    END_PLACES
    CASE "step.fault-first"                 ; a fault comes instead of the trap, TF in the saved flags
    STEP
    AT
    ud2
    END_DEBUG
    CASE "step.iret-sets"
    pushfd
    or dword [esp], 0x100
    push dword KC
    push dword .stepped
    AT
    iretd
.stepped:
    nop
    END_DEBUG
    CASE "step.ring3"
    RING3 0x102
    AT
    nop
    END_DEBUG
    CASE "step.icebp"
    xor eax, eax
    mov dr6, eax
    AT
    db 0xF1
    END_DEBUG

;; SDM Vol. 3, 17.2.4, 17.3.1.1: instruction breakpoints are faults; RF lets the instruction run
    CASE "break.instruction"
    SET_BREAK dr0, .here, 0x1
.here:
    AT
    nop
    END_DEBUG
    CASE "break.rf"
    SET_BREAK dr0, .rf, 0x1
    pushfd
    or dword [esp], 0x10000
    push dword KC
    push dword .rf
    iretd
.rf:
    nop
    AT
    ud2
    END_DEBUG
    CASE "break.disabled"
    SET_BREAK dr0, .disabled, 0x0
.disabled:
    nop
    AT
    ud2
    END_DEBUG
    CASE "break.global"
    SET_BREAK dr3, .global, 0x80
.global:
    AT
    nop
    END_DEBUG
    CASE "break.not-the-first-byte"
    SET_BREAK dr0, .middle + 1, 0x1
.middle:
    mov eax, 0x12345678
    AT
    ud2
    END_DEBUG
    CASE "break.with-other-match"           ; B0 and B1 both, enabled or not
    mov eax, .both
    mov dr1, eax
    SET_BREAK dr0, .both, 0x1
.both:
    AT
    nop
    END_DEBUG
    xor eax, eax
    mov dr1, eax

;; SDM Vol. 3, 17.2.4 and 17.3.1.2: data breakpoints are traps after the access
    CASE "data.write"
    SET_BREAK dr0, value, 0x000D0001        ; 4 bytes, write
    AT
    mov [value], eax
    nop
    END_DEBUG
    CASE "data.read-of-write"
    SET_BREAK dr0, value, 0x000D0001
    mov eax, [value]
    AT
    ud2
    END_DEBUG
    CASE "data.read-write"
    SET_BREAK dr0, value, 0x000F0001
    AT
    mov eax, [value]
    nop
    END_DEBUG
    CASE "data.byte-inside"
    SET_BREAK dr1, value, 0x00F00004        ; DR1, 4 bytes, read and write
    AT
    mov al, [value + 3]
    nop
    END_DEBUG
    CASE "data.byte-outside"
    SET_BREAK dr1, value, 0x00F00004
    mov al, [value + 4]
    mov al, [value - 1]
    AT
    ud2
    END_DEBUG
    CASE "data.overlapping"
    SET_BREAK dr1, value + 4, 0x00300004    ; one byte
    AT
    mov eax, [value + 1]
    nop
    END_DEBUG
    CASE "data.length-masks-address"        ; 4 bytes: the low bits of the address do not count
    SET_BREAK dr1, value + 2, 0x00F00004
    AT
    mov al, [value]
    nop
    END_DEBUG
    CASE "data.push"
    sub esp, 16
    mov eax, esp
    sub eax, 4
    SET_BREAK dr2, eax, 0x0D000010
    AT
    push eax
    nop
    END_DEBUG
    CASE "data.rep-stos"                    ; after the iteration that hits
    mov edi, DATA
    mov ecx, 4
    SET_BREAK dr0, DATA + 2, 0x00010001
    AT
    rep stosb
    RESUME
    xor eax, eax
    mov dr7, eax
    call report
    SHOW r_dr6, r_cx, r_di
    EOL
    CASE "data.io"                          ; CR4.DE: type 2 is ports
    mov eax, cr4
    or eax, CR4_DE
    mov cr4, eax
    SET_BREAK dr0, 0x80, 0x00020001
    AT
    out 0x80, al
    nop
    RESUME
    xor eax, eax
    mov dr7, eax
    mov eax, cr4
    and eax, ~CR4_DE
    mov cr4, eax
    call report
    SHOW r_dr6
    EOL
    CASE "data.with-fault"                  ; an access that faults does not trap
    mov eax, KD16
    mov es, ax
    SET_BREAK dr0, 0x10000, 0x000F0001
    AT
    mov eax, [es:0x10000]
    END_DEBUG
    CASE "data.and-step"                    ; one #DB for both
    SET_BREAK dr0, value, 0x000D0001
    STEP
    AT
    mov [value], eax
    nop
    END_DEBUG

;; SDM Vol. 3, 17.2.3: DR6 is only set by the processor; BS, B0-3; software clears it
    CASE "dr6.reserved"
    xor eax, eax
    mov dr6, eax
    mov ecx, dr6
    mov eax, -1
    mov dr6, eax
    mov edx, dr6
    xor eax, eax
    mov dr6, eax
    and edx, ~0x800                         ; bus locks
    and ecx, ~0x800
    ENDX
    SHOW r_cx, r_dx
    EOL
    CASE "dr7.reserved"
    mov eax, 0xFFFF0000 & ~0x33330000
    mov dr7, eax
    mov ecx, dr7
    xor eax, eax
    mov dr7, eax
    mov edx, dr7
    ENDX
    SHOW r_cx, r_dx
    EOL
    CASE "dr6.accumulates"
    mov eax, 4
    mov dr6, eax
    STEP
    AT
    nop
    END_DEBUG

;; SDM Vol. 3, 17.2.2: DR4 and DR5 are DR6 and DR7, with CR4.DE #UD
    CASE "dr4.alias"
    xor eax, eax
    mov dr6, eax
    db 0x0F, 0x21, 0xE1                     ; mov ecx, dr4
    db 0x0F, 0x21, 0xEA                     ; mov edx, dr5
    and ecx, ~0x800
    ENDX
    SHOW r_cx, r_dx
    EOL
    CASE "dr4.de"
    mov eax, cr4
    or eax, CR4_DE
    mov cr4, eax
    AT
    db 0x0F, 0x21, 0xE1
    END
    CASE "dr5.de-write"
    AT
    db 0x0F, 0x23, 0xE9
    RESUME
    mov eax, cr4
    and eax, ~CR4_DE
    mov cr4, eax
    call report
    EOL

;; SDM Vol. 3, 17.2.4: GD: an access to a debug register faults, DR6.BD; the handler runs with GD clear
    CASE "gd.read"
    SET_DR7 0x2000
    AT
    mov eax, dr0
    END_DEBUG
    CASE "gd.write"
    SET_DR7 0x2000
    AT
    mov dr7, eax
    END_DEBUG
    CASE "gd.cleared"
    SET_DR7 0x2000
    mov dword [hook], read_dr7
    jmp gd_go
read_dr7:
    mov dword [hook], 0
    mov eax, dr7
    mov [value], eax
    add dword [ebp + 56], 3
    jmp unwind
gd_go:
    mov eax, dr0
    ENDX
    SHOW value
    EOL
    CASE "gd.ring3"                         ; #GP before #DB; the case ends twice, for DR7 is guarded still
    SET_DR7 0x2000
    mov dword [value], 0
    RING3
    AT
    mov eax, dr0
    RESUME
    cmp dword [value], 0
    jne .guarded
    inc dword [value]
    mov esi, r_vec
    mov edi, kept
    mov ecx, 10
    rep movsd
.guarded:
    xor eax, eax
    mov dr7, eax
    mov esi, kept
    mov edi, r_vec
    mov ecx, 10
    rep movsd
    call report
    EOL

;; SDM Vol. 3, 6.9: priorities: a breakpoint on an instruction comes before its faults; traps of the last one before both
    CASE "priority.breakpoint-and-ud"
    SET_BREAK dr0, .ud, 0x1
.ud:
    AT
    ud2
    END_DEBUG
    CASE "priority.step-then-breakpoint"
    SET_BREAK dr0, .second, 0x1
    STEP
    AT
    nop
.second:
    nop
    END_DEBUG
    FINISH
PROGRAM_END
