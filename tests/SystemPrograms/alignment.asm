; Alignment check: CR0.AM, EFLAGS.AC, ring 3; which accesses are checked, with the error code 0.
%define MODE 32
%include "program.inc"

; An access at ring 3 with AC set (or the flags given).
%macro TRY 2-3 0x40002
    CASE %1
    RING3 %3
    mov ebx, DATA
    mov esi, DATA
    mov edi, DATA + 0x100
    AT
    %2
    END
%endmacro

main:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    fninit

;; SDM Vol. 3, 6.15 (#AC): needs CR0.AM, AC, and ring 3
    TRY "am-off", {mov eax, [ebx + 1]}
    mov eax, cr0
    or eax, 0x40000
    mov cr0, eax
    TRY "ac-off", {mov eax, [ebx + 1]}, 2
    CASE "ring0"
    push dword 0x40002
    popfd
    mov eax, [DATA + 1]
    ENDX
    EOL

;; SDM Vol. 3, table 6-7: what must be aligned to what
    TRY "byte", {mov al, [ebx + 1]}
    TRY "word", {mov ax, [ebx + 1]}
    TRY "word-aligned", {mov ax, [ebx + 2]}
    TRY "dword", {mov eax, [ebx + 2]}
    TRY "dword-aligned", {mov eax, [ebx + 4]}
    TRY "dword-write", {mov [ebx + 3], eax}
    TRY "rmw", {add dword [ebx + 2], 1}
    TRY "xchg", {xchg eax, [ebx + 2]}
    TRY "qword-mmx", {movq mm0, [ebx + 4]}
    TRY "fld-single", {fld dword [ebx + 2]}
    TRY "fld-double", {fld qword [ebx + 4]}
    TRY "fld-double-aligned", {fld qword [ebx + 8]}
    fninit
    TRY "fld-extended", {fld tword [ebx + 4]}
    TRY "fld-extended-aligned", {fld tword [ebx + 8]}
    fninit
    TRY "fild-word", {fild word [ebx + 1]}
    TRY "movsd-xmm", {movsd xmm0, [ebx + 4]}
    TRY "bound", {bound eax, [ebx + 2]}
    TRY "far-pointer", {les ecx, [ebx + 2]}
    TRY "string", {lodsd}
    CASE "string-unaligned"
    RING3 0x40002
    mov esi, DATA + 2
    AT
    lodsd
    END
    CASE "rep-movsw"                        ; the second operand
    RING3 0x40002
    mov esi, DATA
    mov edi, DATA + 0x101
    mov ecx, 4
    AT
    rep movsw
    ENDX
    SHOW r_cx
    EOL
    CASE "push"
    RING3 0x40002
    sub esp, 2
    AT
    push eax
    ENDX
    SHOW r_sp
    EOL
    CASE "push-word"
    RING3 0x40002
    sub esp, 2
    push ax
    AT
    ud2
    ENDX
    SHOW r_sp
    EOL
    CASE "call"
    RING3 0x40002
    sub esp, 1
    AT
    call .called
.called:
    END
    CASE "ret"
    RING3 0x40002
    mov esp, DATA + 1
    AT
    ret
    END
    CASE "popf-turns-on"                    ; the instruction after it is checked
    RING3 2
    push dword 0x40002
    mov ebx, DATA + 1
    popfd
    AT
    mov eax, [ebx]
    END
    CASE "popf-turns-off"
    RING3 0x40002
    push dword 2
    popfd
    mov eax, [DATA + 1]
    AT
    ud2
    END
    CASE "implicit"                         ; descriptor tables and the frames of interrupts are the supervisor's
    mov dword [TSS + 4], STACK0 - 2
    RING3 0x40002
    AT
    ud2
    RESUME
    mov dword [TSS + 4], STACK0
    call report
    SHOW r_hsp
    EOL
    CASE "handler-keeps-ac"
    RING3 0x40002
    AT
    ud2
    ENDX
    mov eax, [r_hfl]
    and eax, SYSFLAGS
    mov [value], eax
    SHOW value
    EOL

;; SDM Vol. 3, 6.15 (#AC) and 6.9: limits and page faults come first
    CASE "limit-first"
    DESC 0x60, 0x40000, 0xFFF, A_DATA | DPL(3), F_D
    RING3 0x40002
    mov ax, 0x63
    mov es, ax
    AT
    mov eax, [es:0xFFE]
    END
    CASE "base-counts"                      ; the linear address is what is aligned
    DESC 0x60, 0x40001, 0xFFF, A_DATA | DPL(3), F_D
    RING3 0x40002
    mov ax, 0x63
    mov es, ax
    mov eax, [es:3]
    AT
    mov eax, [es:4]
    END
    FINISH
PROGRAM_END
