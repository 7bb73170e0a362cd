; Instructions that fault in the middle, with 32-bit paging: string instructions, pusha, enter, call, cmpxchg8b; what is written and what the
; registers say, and that the instruction goes on when the page is there.
%define MODE 32
%include "program.inc"
%include "paging32.inc"

%define P0 WINDOW
%define P1 (WINDOW + 0x1000)
%define P2 (WINDOW + 0x2000)

; Pages 0 and 1 of the window by their entries.
%macro PAGES 2
    mov dword [PTE(0)], %1
    mov dword [PTE(1)], %2
    mov eax, cr3
    mov cr3, eax
    mov ebp, 0x1357
%endmacro

%macro END_STRING 0
    RESUME
    cld
    call report
    SHOW r_cr2, r_cx, r_si, r_di
    EOL
%endmacro

; Makes the page that is missing present and goes on: for cases that show that an instruction can be restarted.
%macro MENDING 0
    mov dword [hook], mend
%endmacro

main:
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
    mov dword [PTE(2)], FRAME_C | 7
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov edi, FRAME_A
    mov ecx, 0x3000
.fill:
    mov eax, edi
    stosb
    loop .fill
    jmp cases

; #PF: gives the pages all rights, and the program goes on.
mend:
    cmp dword [ebp + 48], 14
    jne .other
    mov dword [PTE(0)], FRAME_A | 7
    mov dword [PTE(1)], FRAME_B | 7
    mov eax, cr2
    mov [value], eax
    invlpg [P0]
    invlpg [P1]
    inc dword [value + 8]
    jmp unwind
.other:
    mov dword [hook], 0
    jmp entry.record

cases:
;; SDM Vol. 2, REP: ECX, ESI, EDI count the elements that are done; the one that faults is not written
    CASE "stosb"
    PAGES FRAME_A | 7, 0
    mov edi, P0 + 0xFFD
    mov ecx, 8
    mov al, 0x5A
    AT
    rep stosb
    END_STRING
    CASE "stosd-straddles"
    PAGES FRAME_A | 7, 0
    mov dword [FRAME_A + 0xFFC], 0x44332211
    mov edi, P0 + 0xFF6
    mov ecx, 8
    mov eax, 0xAAAAAAAA
    AT
    rep stosd
    RESUME
    call report
    SHOW r_cr2, r_cx, r_di, FRAME_A + 0xFFC
    EOL
    CASE "movsd-source"
    PAGES FRAME_A | 7, 0
    mov esi, P0 + 0xFF4
    mov edi, P2
    mov ecx, 8
    AT
    rep movsd
    END_STRING
    CASE "movsd-destination"
    PAGES FRAME_A | 7, 0
    mov esi, P2
    mov edi, P0 + 0xFF4
    mov ecx, 8
    AT
    rep movsd
    END_STRING
    CASE "movsb-down"
    PAGES 0, FRAME_B | 7
    mov esi, P2 + 0x10
    mov edi, P1 + 2
    mov ecx, 8
    std
    AT
    rep movsb
    END_STRING
    CASE "movsb-read-only"
    PAGES FRAME_A | 5, FRAME_B | 5
    mov esi, P1
    mov edi, P0
    mov ecx, 8
    AT
    rep movsb
    END_STRING
    CASE "movsb-both-missing"               ; the source is read first
    PAGES 0, 0
    mov esi, P1
    mov edi, P0
    mov ecx, 8
    AT
    rep movsb
    END_STRING
    CASE "cmpsb"
    PAGES FRAME_A | 7, 0
    mov esi, P0 + 0xFFC
    mov edi, FRAME_A + 0xFFC
    mov ecx, 16
    AT
    repe cmpsb
    END_STRING
    CASE "scasb"
    PAGES FRAME_A | 7, 0
    mov edi, P0 + 0xFF0
    mov ecx, 0x100
    mov al, 0x42
    AT
    repne scasb
    END_STRING
    CASE "lodsw"
    PAGES FRAME_A | 7, 0
    mov esi, P0 + 0xFFB
    mov ecx, 8
    AT
    rep lodsw
    END_STRING
    CASE "outsb"                            ; the port is not written when the source faults
    PAGES FRAME_A | 7, 0
    mov esi, P0 + 0xFFE
    mov ecx, 8
    mov edx, 0x80
    AT
    rep outsb
    END_STRING
    CASE "insb"
    PAGES FRAME_A | 7, 0
    mov edi, P0 + 0xFFE
    mov ecx, 8
    mov edx, 0x80
    AT
    rep insb
    END_STRING
    CASE "zero-count"                       ; touches nothing
    PAGES 0, 0
    mov edi, P0
    xor ecx, ecx
    rep stosb
    END
    CASE "restarted.movsb"
    PAGES FRAME_A | 7, 0
    mov dword [value + 8], 0
    MENDING
    mov esi, P2
    mov edi, P0 + 0xFF8
    mov ecx, 0x20
    rep movsb
    RESUME
    mov dword [hook], 0
    call report
    SHOW r_cx, r_si, r_di, value, value + 8, FRAME_B + 0x14
    EOL

;; SDM Vol. 3, 6.5: faults leave the state as before the instruction
    CASE "pushad"
    PAGES 0, FRAME_B | 7
    GATE IDT + 14 * 8, 0x60, 0, A_TASK
    DESC 0x60, V(pf_tss), 0x67, A_TSS32, 0
    jmp pushad_go
align 8
pf_tss: times 104 db 0
in_page_fault:
    pop dword [r_err]
    mov dword [r_vec], 14
    mov eax, cr2
    mov [r_cr2], eax
    mov eax, [TSS + 32]
    mov [r_ip], eax
    mov eax, [TSS + 36]
    mov [r_fl], eax
    mov eax, [TSS + 56]
    mov [r_sp], eax
    mov eax, [TSS + 60]
    mov [r_bp], eax
    mov eax, [TSS + 76]
    mov [r_cs], eax
    mov eax, [case_sp]
    mov [TSS + 56], eax
    mov eax, [case_resume]
    mov [TSS + 32], eax
    mov dword [TSS + 36], 2
    iretd
    jmp in_page_fault
pushad_go:
    mov dword [pf_tss + 28], DIRECTORY
    mov dword [pf_tss + 32], in_page_fault
    mov dword [pf_tss + 36], 2
    mov dword [pf_tss + 56], STACKDF
    mov dword [pf_tss + 72], KD
    mov dword [pf_tss + 76], KC
    mov dword [pf_tss + 80], KD
    mov dword [pf_tss + 84], KD
    mov word [pf_tss + 102], 0x68
    mov dword [TSS + 28], DIRECTORY
%macro END_STACK 0
    RESUME
    call report
    SHOW r_cr2, r_sp, r_bp
    EOL
%endmacro
    mov ebp, 0x1357
    mov esp, P1 + 0x10
    AT
    pushad
    END_STACK
    CASE "popad"
    PAGES FRAME_A | 7, 0
    mov ebp, 0x1357
    mov esp, P0 + 0xFF0
    AT
    popad
    END_STACK
    CASE "enter"
    PAGES 0, FRAME_B | 7
    mov ebp, 0x1357
    mov esp, P1
    AT
    enter 0x10, 0
    END_STACK
    CASE "enter-nested"
    PAGES 0, FRAME_B | 7
    mov ebp, P1 + 0x800
    mov esp, P1 + 8
    AT
    enter 0x10, 3
    END_STACK
    CASE "enter-frame-missing"              ; the final ESP is probed for a write
    PAGES 0, FRAME_B | 7
    mov ebp, 0x1357
    mov esp, P1 + 0x100
    AT
    enter 0x200, 0
    END_STACK
    CASE "call"
    PAGES 0, FRAME_B | 7
    mov esp, P1
    AT
    call cases
    END_STACK
    CASE "push-memory"
    PAGES 0, FRAME_B | 7
    mov esp, P1
    AT
    push dword [value]
    END_STACK
    CASE "pop-memory"
    PAGES 0, FRAME_B | 7
    mov esp, P1 + 0x80
    AT
    pop dword [P0]
    END_STACK
    CASE "pop-esp-relative"                 ; the address uses ESP after the pop
    PAGES FRAME_A | 7, 0
    mov dword [FRAME_A + 0xFF4], 0x0F1E2D3C
    mov esp, P0 + 0xFF4
    pop dword [esp]
    mov ebx, [FRAME_A + 0xFF8]
    mov esp, STACK
    ENDX
    SHOW r_bx
    EOL
    CASE "ret"
    PAGES FRAME_A | 7, 0
    mov esp, P1
    AT
    ret 8
    END_STACK
    CASE "leave"
    PAGES FRAME_A | 7, 0
    mov esp, P0 + 0x100
    mov ebp, P1
    AT
    leave
    END_STACK
    CASE "iret"
    PAGES FRAME_A | 7, 0
    mov esp, P0 + 0xFF8
    mov dword [esp], cases
    mov dword [esp + 4], KC
    AT
    iretd
    END_STACK
    mov dword [IDT + 14 * 8], (KC << 16) | (V(stubs) + 14 * STUB_SIZE)
    mov dword [IDT + 14 * 8 + 4], A_INT32 << 8

    clts                                    ; task switches set TS

;; SDM Vol. 2: locked and read-modify-write instructions fault as writes; cmpxchg8b as well when it does not store
    CASE "cmpxchg8b-read-only"
    PAGES FRAME_A | 5, 0
    xor edx, edx
    AT
    cmpxchg8b [P0]
    RESUME
    call report
    SHOW r_cr2
    EOL
    CASE "cmpxchg8b-straddles"
    PAGES FRAME_A | 7, FRAME_B | 5
    AT
    lock cmpxchg8b [P0 + 0xFFC]
    RESUME
    call report
    SHOW r_cr2
    EOL
    CASE "xadd-straddles"
    PAGES FRAME_A | 7, 0
    mov dword [FRAME_A + 0xFFC], 0x10203040
    mov ecx, 5
    AT
    lock xadd [P0 + 0xFFE], ecx
    RESUME
    call report
    SHOW r_cr2, r_cx, FRAME_A + 0xFFC
    EOL
    CASE "fstp-straddles"
    PAGES FRAME_A | 7, 0
    fninit
    fld1
    AT
    fstp tword [P0 + 0xFFA]
    RESUME
    fnstsw [value]
    fninit
    call report
    SHOW r_cr2, FRAME_A + 0xFFC
    SHOW16 value
    EOL
    CASE "fnsave-straddles"
    PAGES FRAME_A | 7, 0
    mov dword [FRAME_A + 0xFFC], 0x10203040
    AT
    fnsave [P0 + 0xFFC]
    RESUME
    call report
    SHOW r_cr2
    EOL
    CASE "sgdt-straddles"
    PAGES FRAME_A | 7, 0
    AT
    sgdt [P0 + 0xFFC]
    RESUME
    call report
    SHOW r_cr2
    EOL
    CASE "bound"
    PAGES FRAME_A | 7, 0
    AT
    bound eax, [P0 + 0xFFC]
    RESUME
    call report
    SHOW r_cr2
    EOL
    FINISH
PROGRAM_END
