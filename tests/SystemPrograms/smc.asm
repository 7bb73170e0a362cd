; Self-modifying code: the next instruction, the same block, another page, through an alias, by string instructions, under paging and without,
; code pages remapped with and without invalidation of what was executed before.
%define MODE 32
%include "program.inc"
%include "paging32.inc"

%define CODE  0x48000           ; physical, also linear
%define CODE2 0x49000
%define ALIAS WINDOW            ; of CODE
%define ALIAS2 (WINDOW + 0x1000)

; mov eax, imm32; ret
%macro PUT 2
    mov byte [%1], 0xB8
    mov dword [(%1) + 1], %2
    mov byte [(%1) + 5], 0xC3
%endmacro

; Runs code often enough for a translator to compile it.
%macro WARM 1
    mov esi, 5000
%%again:
    mov ebx, %1
    call ebx
    dec esi
    jnz %%again
%endmacro

%macro CALL_AT 2                ; address, where EAX goes
    mov ebx, %1
    call ebx
    mov [%2], eax
%endmacro

main:
;; SDM Vol. 3, 8.1.3 and 11.6: a store to code is seen by the next jump there, in practice by the next instruction
    CASE "smc.next-instruction"
    mov eax, 1
    mov byte [.patch + 1], 2
.patch:
    mov al, 1
    ENDX
    SHOW16 r_ax
    EOL
    CASE "smc.loop"                         ; an immediate that is changed in each iteration
    xor ebx, ebx
    mov ecx, 3000
.loop:
    mov eax, 0
    add ebx, eax
    inc dword [.loop + 1]
    dec ecx
    jnz .loop
    ENDX
    SHOW r_bx
    EOL
    CASE "smc.call"
    PUT CODE, 0x11111111
    WARM CODE
    CALL_AT CODE, value
    PUT CODE, 0x22222222
    CALL_AT CODE, value + 8
    RESUME
    call report
    SHOW value, value + 8
    EOL
    CASE "smc.stos"
    PUT CODE, 0x11111111
    WARM CODE
    mov edi, CODE + 1
    mov eax, 0x33333333
    stosd
    CALL_AT CODE, value
    RESUME
    call report
    SHOW value
    EOL
    CASE "smc.movs"
    PUT CODE, 0x11111111
    PUT CODE2 + 0x100, 0x44444444
    WARM CODE
    mov esi, CODE2 + 0x100
    mov edi, CODE
    mov ecx, 6
    rep movsb
    CALL_AT CODE, value
    RESUME
    call report
    SHOW value
    EOL
    CASE "smc.rep-over-itself"              ; the string instruction overwrites what comes after it
    mov edi, .after
    mov ecx, 3
    mov eax, 0x40                           ; inc eax
    rep stosb
.after:
    nop
    nop
    nop
    ENDX
    SHOW16 r_ax
    EOL
    CASE "smc.across-pages"
    PUT CODE2 - 3, 0x11111111
    WARM CODE2 - 3
    mov dword [CODE2 - 2], 0x55555555
    CALL_AT CODE2 - 3, value
    mov byte [CODE2 + 1], 0x66              ; only in the second page
    CALL_AT CODE2 - 3, value + 8
    RESUME
    call report
    SHOW value, value + 8
    EOL
    CASE "smc.push"                         ; by the stack
    PUT CODE, 0x11111111
    WARM CODE
    mov edx, esp
    mov esp, CODE + 5
    push dword 0x77777777
    mov esp, edx
    CALL_AT CODE, value
    RESUME
    call report
    SHOW value
    EOL
    CASE "smc.fpu"                          ; by an x87 store
    fninit
    PUT CODE, 0x11111111
    WARM CODE
    fild dword [.integer]
    fistp dword [CODE + 1]
    CALL_AT CODE, value
    jmp .end
.integer:
    dd 0x12121212
.end:
    RESUME
    call report
    SHOW value
    EOL
    CASE "smc.data-beside"                  ; stores beside code change nothing
    PUT CODE, 0x11111111
    WARM CODE
    mov ecx, 2000
.beside:
    mov [CODE + 0x80], ecx
    mov ebx, CODE
    call ebx
    loop .beside
    mov [value], eax
    RESUME
    call report
    SHOW value
    EOL

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
    mov dword [PTE(0)], CODE | 7
    mov dword [PTE(1)], CODE2 | 7
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax

;; SDM Vol. 3, 11.6: self-modifying code by another linear address of the same frame: seen at once by the processors of today
    CASE "alias.write"
    PUT CODE, 0x11111111
    WARM CODE
    mov dword [ALIAS + 1], 0x88888888
    CALL_AT CODE, value
    RESUME
    call report
    SHOW value
    EOL
    CASE "alias.execute-both"
    PUT CODE, 0x11111111
    WARM CODE
    WARM ALIAS
    mov dword [CODE + 1], 0x99999999
    CALL_AT ALIAS, value
    CALL_AT CODE, value + 8
    RESUME
    call report
    SHOW value, value + 8
    EOL
    CASE "alias.relative-call"              ; the same bytes, but EIP differs
    mov dword [CODE + 0x20], 0x000000E8     ; call $ + 5; pop eax; ret
    mov dword [CODE + 0x24], 0x00C35800
    WARM CODE + 0x20
    CALL_AT CODE + 0x20, value
    CALL_AT ALIAS + 0x20, value + 8
    RESUME
    call report
    SHOW value, value + 8
    EOL

;; SDM Vol. 3, 4.10: a code page that is remapped and invalidated
    CASE "remap.invlpg"
    PUT CODE, 0x11111111
    PUT CODE2, 0x22222222
    WARM ALIAS
    CALL_AT ALIAS, value
    mov dword [PTE(0)], CODE2 | 7
    invlpg [ALIAS]
    CALL_AT ALIAS, value + 8
    mov dword [PTE(0)], CODE | 7
    invlpg [ALIAS]
    CALL_AT ALIAS, value + 16
    RESUME
    call report
    SHOW value, value + 8, value + 16
    EOL
    CASE "remap.cr3"
    WARM ALIAS
    mov dword [PTE(0)], CODE2 | 7
    mov eax, cr3
    mov cr3, eax
    CALL_AT ALIAS, value
    mov dword [PTE(0)], CODE | 7
    mov eax, cr3
    mov cr3, eax
    CALL_AT ALIAS, value + 8
    RESUME
    call report
    SHOW value, value + 8
    EOL
    CASE "remap.many"                       ; a switch of address spaces in a loop
    xor edi, edi
    mov esi, 2000
.switch:
    mov dword [PTE(0)], CODE2 | 7
    mov eax, cr3
    mov cr3, eax
    mov ebx, ALIAS
    call ebx
    add edi, eax
    mov dword [PTE(0)], CODE | 7
    mov eax, cr3
    mov cr3, eax
    mov ebx, ALIAS
    call ebx
    add edi, eax
    dec esi
    jnz .switch
    ENDX
    SHOW r_di
    EOL
    CASE "remap.second-page"                ; an instruction across pages whose second page changes
    PUT CODE + 0xFFD, 0x11111111            ; the end of CODE and the beginning of CODE2
    PUT CODE, 0x11111111
    mov byte [CODE2], 0x11
    mov byte [CODE2 + 1], 0x11
    mov byte [CODE2 + 2], 0xC3
    mov byte [CODE2 + 0x1000], 0x22
    mov byte [CODE2 + 0x1001], 0x22
    mov byte [CODE2 + 0x1002], 0xC3
    mov dword [PTE(0)], CODE | 7
    mov dword [PTE(1)], CODE2 | 7
    mov eax, cr3
    mov cr3, eax
    WARM ALIAS + 0xFFD
    CALL_AT ALIAS + 0xFFD, value
    mov dword [PTE(1)], (CODE2 + 0x1000) | 7
    invlpg [ALIAS2]
    CALL_AT ALIAS + 0xFFD, value + 8
    RESUME
    call report
    SHOW value, value + 8
    EOL
    CASE "remap.not-present"                ; code that was executed, then taken away
    WARM ALIAS
    mov dword [PTE(0)], 0
    invlpg [ALIAS]
    mov dword [case_at], ALIAS
    mov ebx, ALIAS
    call ebx
    RESUME
    call report
    SHOW r_cr2
    EOL
    CASE "remap.user-loses-page"            ; code that ring 3 may not execute any more
    mov dword [PTE(0)], CODE | 7
    invlpg [ALIAS]
    WARM ALIAS
    mov dword [PTE(0)], CODE | 3
    invlpg [ALIAS]
    mov dword [case_at], ALIAS
    RING3
    mov ebx, ALIAS
    call ebx
    RESUME
    call report
    SHOW r_cr2
    EOL
    CASE "code.on-page-table-page"          ; the page that has code is written by the walk's accessed bits
    mov dword [PTE(0)], CODE | 7
    PUT TABLE2 + 0xF00, 0x0BADCAFE
    mov eax, cr3
    mov cr3, eax
    WARM TABLE2 + 0xF00
    mov dword [PTE(1)], CODE2 | 7
    invlpg [ALIAS2]
    mov eax, [ALIAS2]
    CALL_AT TABLE2 + 0xF00, value
    mov eax, [PTE(1)]
    mov [value + 8], eax
    RESUME
    call report
    SHOW value, value + 8
    EOL
    CASE "code.mode-switch"                 ; the same bytes as 16-bit code
    mov dword [CODE + 0x40], 0x345678B8     ; mov eax, imm: of 4 bytes, or of 2 and more instructions
    mov dword [CODE + 0x44], 0xC3C39012
    mov eax, 0
    WARM CODE + 0x40
    CALL_AT CODE + 0x40, value
    DESC 0x60, 0x48000, 0xFFFF, A_CODE, 0
    mov byte [CODE + 0x40], 0xB8
    mov dword [CODE + 0x41], 0x90909090
    mov word [CODE + 0x45], 0xCB66          ; retf of 32 bits
    call 0x60:0x40
    mov [value + 8], eax
    RESUME
    call report
    SHOW value, value + 8
    EOL
    FINISH
PROGRAM_END
