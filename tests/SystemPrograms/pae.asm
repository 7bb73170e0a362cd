; PAE paging: the directory-pointer registers that a load of CR3 fills, their reserved bits, entries of 8 bytes, 2 MiB pages, NX.
%define MODE 32
%include "program.inc"

%define POINTERS  TABLES                ; 4 entries of 8 bytes
%define DIRECTORY (TABLES + 0x1000)     ; of the first GiB
%define TABLE     (TABLES + 0x2000)     ; of the first 2 MiB
%define WTABLE    (TABLES + 0x3000)     ; of WINDOW
%define DIRECTORY2 (TABLES + 0x4000)    ; of the second GiB
%define WINDOW    0x800000
%define FRAME_A   0x40000
%define FRAME_B   0x41000
%define FRAME_C   0x42000

%macro SET_PAGE 3                       ; low and high half of the entry, flags of the directory's
    mov dword [WTABLE], %1
    mov dword [WTABLE + 4], %2
    mov dword [DIRECTORY + (WINDOW >> 21) * 8], WTABLE | %3
    mov eax, cr3
    mov cr3, eax
    xor eax, eax
    mov [r_cr2], eax
    mov ebx, WINDOW
%endmacro

%macro END_PAGE 0
    RESUME
    call report
    SHOW r_cr2
    EOL
%endmacro

%macro PAGE_CASE 5
    CASE %1
    SET_PAGE %2, %3, %4
    AT
    %5
    END_PAGE
%endmacro

; Sets a directory-pointer entry's halves and loads CR3.
%macro POINTER_CASE 4                   ; name, entry, low, high
    CASE %1
    mov dword [POINTERS + (%2) * 8], %3
    mov dword [POINTERS + (%2) * 8 + 4], %4
    mov eax, POINTERS
    AT
    mov cr3, eax
    RESUME
    mov dword [POINTERS + (%2) * 8], 0
    mov dword [POINTERS + (%2) * 8 + 4], 0
    call report
    EOL
%endmacro

main:
    mov edi, TABLES
    mov ecx, 0x5000 / 4
    xor eax, eax
    rep stosd
    mov dword [POINTERS], DIRECTORY | 1
    mov dword [DIRECTORY], TABLE | 7
    mov edi, TABLE
    mov eax, 7
.identity:
    mov [edi], eax
    add eax, 0x1000
    add edi, 8
    cmp edi, TABLE + 0x1000
    jb .identity
    mov byte [FRAME_A], 0xC3
    mov dword [FRAME_B], 0xB0B1B2B3
    mov ecx, 0xC0000080                 ; NXE
    rdmsr
    or eax, 0x800
    wrmsr
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, POINTERS
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax

;; SDM Vol. 3, 4.4.1: the directory-pointer entries are loaded with CR3; reserved bits of one that is present: #GP(0)
    POINTER_CASE "pointer.reserved-1", 1, 3, 0
    POINTER_CASE "pointer.reserved-5", 2, 0x21, 0
    POINTER_CASE "pointer.reserved-8", 3, 0x101, 0
    POINTER_CASE "pointer.reserved-high", 3, 1, 0x80000000
    POINTER_CASE "pointer.not-present", 3, 0x1FE, 0x80000000
    POINTER_CASE "pointer.cache-bits", 3, DIRECTORY2 | 0x19, 0
    CASE "pointer.cached"               ; a change in memory counts with the next load of CR3
    mov dword [DIRECTORY2], 0x83
    mov dword [POINTERS + 8], DIRECTORY2 | 1
    mov eax, cr3
    mov cr3, eax
    mov eax, [0x40000000 + FRAME_B]
    mov dword [POINTERS + 8], 0
    invlpg [0x40000000 + FRAME_B]
    mov ebx, [0x40000000 + FRAME_B]
    mov ecx, cr3
    mov cr3, ecx
    AT
    mov ecx, [0x40000000 + FRAME_B]
    ENDX
    SHOW r_ax, r_bx, r_cr2
    EOL
    CASE "pointer.reserved-by-cr0"      ; setting PG loads them, too
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    mov dword [POINTERS + 8], 3
    or eax, 0x80000000
    AT
    mov cr0, eax
    RESUME
    mov dword [POINTERS + 8], 0
    call report
    mov eax, cr0
    mov [value], eax
    SHOW value
    or eax, 0x80000000
    mov cr0, eax
    EOL

;; SDM Vol. 3, 4.4.2, 4.6.1 and 4.7: entries of 8 bytes
    PAGE_CASE "read", FRAME_A | 1, 0, 1, {mov eax, [ebx]}
    PAGE_CASE "write", FRAME_A | 3, 0, 3, {mov [ebx + 8], eax}
    PAGE_CASE "write-read-only", FRAME_A | 1, 0, 3, {mov [ebx + 8], eax}
    PAGE_CASE "write-read-only-directory", FRAME_A | 3, 0, 1, {mov [ebx + 8], eax}
    PAGE_CASE "not-present", FRAME_A | 2, 0, 3, {mov eax, [ebx]}
    PAGE_CASE "directory-not-present", FRAME_A | 3, 0, 2, {mov eax, [ebx]}
    PAGE_CASE "fetch", FRAME_A | 3, 0, 3, {call ebx}
    PAGE_CASE "fetch-nx", FRAME_A | 3, 0x80000000, 3, {call ebx}
    PAGE_CASE "read-nx", FRAME_A | 3, 0x80000000, 3, {mov eax, [ebx]}
    PAGE_CASE "fetch-not-present", FRAME_A | 2, 0, 3, {call ebx}
    PAGE_CASE "reserved", FRAME_A | 3, 0x00080000, 3, {mov eax, [ebx]}
    PAGE_CASE "reserved-52", FRAME_A | 3, 0x00100000, 3, {mov [ebx], eax}
    PAGE_CASE "reserved-not-present", FRAME_A | 2, 0x00080000, 3, {mov eax, [ebx]}
    CASE "marks"
    SET_PAGE FRAME_A | 3, 0, 3
    mov [WINDOW + 8], eax
    mov ecx, [WTABLE]
    mov edx, [DIRECTORY + (WINDOW >> 21) * 8]
    ENDX
    SHOW r_cx, r_dx
    EOL
    CASE "user"
    SET_PAGE FRAME_A | 3, 0, 7
    RING3
    AT
    mov eax, [ebx]
    END_PAGE
    CASE "cross.second"
    mov dword [WTABLE + 8], 0
    SET_PAGE FRAME_A | 3, 0, 3
    AT
    mov eax, [WINDOW + 0xFFE]
    END_PAGE

;; SDM Vol. 3, 4.4.2: 2 MiB pages: PS needs no CR4.PSE; bits 20:13 are reserved
%macro LARGE_CASE 4
    CASE %1
    mov dword [DIRECTORY + (0xA00000 >> 21) * 8], %2
    mov dword [DIRECTORY + (0xA00000 >> 21) * 8 + 4], %3
    mov eax, cr3
    mov cr3, eax
    mov ebx, 0xA00000
    AT
    %4
    RESUME
    call report
    SHOW DIRECTORY + (0xA00000 >> 21) * 8
    EOL
%endmacro
    LARGE_CASE "large.read", 0x81, 0, {mov eax, [ebx + FRAME_B]}
    LARGE_CASE "large.write", 0x83, 0, {mov [ebx + FRAME_C], eax}
    LARGE_CASE "large.pat", 0x1083, 0, {mov eax, [ebx + FRAME_B]}
    CASE "large.reserved"
    mov dword [DIRECTORY + (0xA00000 >> 21) * 8], 0x2083
    mov eax, cr3
    mov cr3, eax
    AT
    mov eax, [0xA00000]
    END_PAGE
    CASE "large.nx"
    mov dword [DIRECTORY + (0xA00000 >> 21) * 8], 0x83
    mov dword [DIRECTORY + (0xA00000 >> 21) * 8 + 4], 0x80000000
    mov eax, cr3
    mov cr3, eax
    mov ebx, 0xA00000 + FRAME_A
    AT
    call ebx
    END_PAGE
    CASE "switch-to-32-bit"             ; PAE off with paging on: the same bytes as entries of 4 bytes
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    mov ecx, cr4
    and ecx, ~0x20
    or ecx, 0x10
    mov cr4, ecx
    mov dword [DIRECTORY2], 0x83
    mov edx, DIRECTORY2
    mov cr3, edx
    or eax, 0x80000000
    mov cr0, eax
    mov ebx, [FRAME_B]
    and eax, 0x7FFFFFFF
    mov cr0, eax
    ENDX
    SHOW r_bx
    EOL
    FINISH
PROGRAM_END
