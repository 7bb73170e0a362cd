; 4-level paging: NX, rights at each level, large and huge pages, reserved bits, canonical edges, SMEP and SMAP, global pages, WP.
%define MODE 64
%include "program.inc"
%include "paging64.inc"

%define NX 0x8000000000000000

; Entries of the window: page table entry, directory entry, directory-pointer entry.
%macro SET_PAGE 3
    mov rax, %1
    mov [PTE(0)], rax
    mov rax, WPT | %2
    mov [WPD], rax
    mov rax, WPD | %3
    mov [PDPT + 8], rax
    mov rax, cr3
    mov cr3, rax
    xor eax, eax
    mov [r_cr2], rax
%endmacro

; Whether an access that faults sets accessed bits on its way is the processor's own affair: they are not shown then.
%macro END_PAGE 0
    RESUME
    call report
    call show_entries
    EOL
%endmacro

%macro PAGE_CASE 5              ; name, three entries' bits, instruction
    CASE %1
    SET_PAGE %2, %3, %4
    mov ebx, WINDOW
    AT
    %5
    END_PAGE
%endmacro

%macro USER_CASE 5
    CASE %1
    SET_PAGE %2, %3, %4
    RING3
    mov ebx, WINDOW
    AT
    %5
    END_PAGE
%endmacro

; An entry of the page directory that maps 2 MiB, at WINDOW + 200000, or of the directory-pointer table that maps 1 GiB, at 80000000.
%macro LARGE_CASE 3
    CASE %1
    mov rax, %2
    mov [WPD + 8], rax
    mov rax, WPD | 7
    mov [PDPT + 8], rax
    mov rax, cr3
    mov cr3, rax
    mov ebx, WINDOW + 0x200000
    AT
    %3
    RESUME
    call report
    mov rax, [WPD + 8]
    call show_entry
    EOL
%endmacro

%macro HUGE_CASE 3
    CASE %1
    mov rax, %2
    mov [PDPT + 16], rax
    mov rax, cr3
    mov cr3, rax
    mov ebx, 0x80000000
    AT
    %3
    RESUME
    call report
    mov rax, [PDPT + 16]
    call show_entry
    EOL
%endmacro

main:
    mov edi, WPD
    mov ecx, 0x400
    xor eax, eax
    rep stosq
    mov rax, cr0
    or eax, 0x10000                         ; WP
    mov cr0, rax
    mov byte [FRAME_A], 0xC3                ; ret
    mov dword [FRAME_B], 0xB0B1B2B3
    jmp cases

show_entries:
    cmp dword [r_vec], 14
    jne .shown
    SHOW32 r_cr2
.shown:
    mov rax, [PTE(0)]
    call show_entry
    mov rax, [WPD]
    jmp show_entry
show_entry:
    cmp dword [r_vec], 14
    jne .all
    and al, ~0x20
.all:
    jmp put_long

cases:
;; SDM Vol. 3, 4.6.1 and 4.7: rights are those of all levels together; I/D of fetches with NX
    PAGE_CASE "super.read", FRAME_A | 1, 1, 1, {mov eax, [rbx]}
    PAGE_CASE "super.write", FRAME_A | 3, 3, 3, {mov [rbx + 8], eax}
    PAGE_CASE "super.write-read-only", FRAME_A | 1, 3, 3, {mov [rbx + 8], eax}
    PAGE_CASE "super.write-read-only-directory", FRAME_A | 3, 1, 3, {mov [rbx + 8], eax}
    PAGE_CASE "super.write-read-only-pointer", FRAME_A | 3, 3, 1, {mov [rbx + 8], eax}
    PAGE_CASE "super.not-present", FRAME_A | 2, 3, 3, {mov eax, [rbx]}
    PAGE_CASE "super.directory-not-present", FRAME_A | 3, 2, 3, {mov [rbx], eax}
    PAGE_CASE "super.pointer-not-present", FRAME_A | 3, 3, 2, {mov eax, [rbx]}
    PAGE_CASE "super.fetch", FRAME_A | 3, 3, 3, {call rbx}
    USER_CASE "user.read", FRAME_A | 5, 5, 5, {mov eax, [rbx]}
    USER_CASE "user.write", FRAME_A | 7, 7, 7, {mov [rbx + 8], eax}
    USER_CASE "user.supervisor-page", FRAME_A | 3, 7, 7, {mov eax, [rbx]}
    USER_CASE "user.supervisor-directory", FRAME_A | 7, 3, 7, {mov eax, [rbx]}
    USER_CASE "user.supervisor-pointer", FRAME_A | 7, 7, 3, {mov [rbx], eax}
    USER_CASE "user.write-read-only", FRAME_A | 5, 7, 7, {mov [rbx], eax}
    USER_CASE "user.fetch", FRAME_A | 5, 7, 7, {call rbx}
    PAGE_CASE "nx.fetch", FRAME_A | 3 | NX, 3, 3, {call rbx}
    PAGE_CASE "nx.fetch-directory", FRAME_A | 3, 3 | NX, 3, {call rbx}
    PAGE_CASE "nx.fetch-pointer", FRAME_A | 3, 3, 3 | NX, {call rbx}
    PAGE_CASE "nx.read", FRAME_A | 3 | NX, 3 | NX, 3, {mov eax, [rbx]}
    PAGE_CASE "nx.write", FRAME_A | 3 | NX, 3, 3, {mov [rbx + 8], eax}
    USER_CASE "nx.user-fetch", FRAME_A | 7 | NX, 7, 7, {call rbx}
    USER_CASE "nx.user-fetch-supervisor", FRAME_A | 3, 7, 7, {call rbx}
    PAGE_CASE "nx.fetch-not-present", FRAME_A | 2, 3, 3, {call rbx}
    CASE "nx.second-page"                   ; an instruction that goes into a page without execution
    mov rax, FRAME_B | 3 | NX
    mov [PTE(1)], rax
    SET_PAGE FRAME_A | 3, 3, 3
    mov word [FRAME_A + 0xFFE], 0x00B8
    mov dword [case_at], WINDOW + 0xFFE
    mov ebx, WINDOW + 0xFFE
    jmp rbx
    END_PAGE

;; SDM Vol. 3, 4.5 and 4.7: reserved bits: above the physical address, PS in the wrong place, NX without EFER.NXE; RSVD with P
    PAGE_CASE "reserved.pte", FRAME_A | 3 | 0x0008000000000000, 3, 3, {mov eax, [rbx]}
    PAGE_CASE "reserved.directory", FRAME_A | 3, 3 | 0x0008000000000000, 3, {mov [rbx], eax}
    PAGE_CASE "reserved.ignored-bits", FRAME_A | 3 | 0x0010000000000E00, 3, 3, {mov eax, [rbx]}
    USER_CASE "reserved.user", FRAME_A | 7 | 0x0008000000000000, 7, 7, {mov eax, [rbx]}
    PAGE_CASE "reserved.not-present", FRAME_A | 0x0008000000000000, 3, 3, {mov eax, [rbx]}
    PAGE_CASE "reserved.fetch", FRAME_A | 3 | 0x0008000000000000, 3, 3, {call rbx}
    CASE "reserved.pml4-ps"
    or qword [PML4 + 8 * 1], 0x87
    mov rax, PDPT | 0x87
    mov [PML4 + 8], rax
    mov rax, 0x8000000000
    AT
    mov eax, [rax]
    RESUME
    call report
    SHOW r_cr2
    mov qword [PML4 + 8], 0
    EOL
    CASE "reserved.nx-without-nxe"
    SET_PAGE FRAME_A | 3 | NX, 3, 3
    mov ecx, 0xC0000080
    rdmsr
    and eax, ~0x800
    wrmsr
    mov ebx, WINDOW
    AT
    mov eax, [rbx]
    RESUME
    mov ecx, 0xC0000080
    rdmsr
    or eax, 0x800
    wrmsr
    call report
    EOL

;; SDM Vol. 3, 4.5.4: pages of 2 MiB and 1 GiB
    LARGE_CASE "large.read", 0x81, {mov eax, [rbx + FRAME_B]}
    LARGE_CASE "large.write", 0x83, {mov [rbx + FRAME_C], eax}
    LARGE_CASE "large.read-only", 0x81, {mov [rbx + FRAME_C], eax}
    LARGE_CASE "large.reserved", 0x2083, {mov eax, [rbx]}
    LARGE_CASE "large.reserved-20", 0x100083, {mov eax, [rbx]}
    LARGE_CASE "large.pat", 0x1083, {mov eax, [rbx + FRAME_B]}
    LARGE_CASE "large.nx", 0x83 | NX, {call rbx}
    CASE "large.value"
    mov qword [WPD + 8], 0x83
    mov rax, cr3
    mov cr3, rax
    mov eax, [WINDOW + 0x200000 + FRAME_B]
    ENDX
    SHOW32 r_ax
    EOL
    HUGE_CASE "huge.read", 0x81, {mov eax, [rbx + FRAME_B]}
    HUGE_CASE "huge.write", 0x83, {mov [rbx + FRAME_C], eax}
    HUGE_CASE "huge.read-only", 0x81, {mov [rbx + FRAME_C], eax}
    HUGE_CASE "huge.reserved", 0x200083, {mov eax, [rbx]}
    HUGE_CASE "huge.user", 0x83, {mov eax, [rbx + FRAME_B]}
    CASE "huge.value"
    mov qword [PDPT + 16], 0x83
    mov rax, cr3
    mov cr3, rax
    mov eax, 0x80000000
    mov eax, [rax + FRAME_B]
    ENDX
    SHOW32 r_ax
    EOL
    CASE "huge.split"                       ; the same addresses by a directory of 2 MiB pages
    mov qword [WPD], 0x400083
    mov dword [0x400000 + 0x123], 0x5A5A5A5A
    mov rax, WPD | 3
    mov [PDPT + 16], rax
    mov eax, 0x80000000
    invlpg [rax + FRAME_B]
    mov eax, [rax + 0x123]
    ENDX
    SHOW32 r_ax
    EOL

;; SDM Vol. 3, 4.10.4: invalidation
    CASE "tlb.invlpg"
    SET_PAGE FRAME_A | 3, 3, 3
    mov dword [FRAME_A + 4], 0xAAAAAAAA
    mov dword [FRAME_B + 4], 0xBBBBBBBB
    mov eax, [WINDOW + 4]
    mov qword [PTE(0)], FRAME_B | 3
    invlpg [WINDOW + 0xFFF]
    mov ebx, [WINDOW + 4]
    ENDX
    SHOW32 r_ax, r_bx
    EOL
    CASE "tlb.cr3-bit-63"                   ; without PCIDE reserved
    mov rax, cr3
    bts rax, 63
    AT
    mov cr3, rax
    END
    CASE "tlb.global"
    mov rax, cr4
    or eax, 0x80
    mov cr4, rax
    SET_PAGE FRAME_A | 0x103, 3, 3
    mov eax, [WINDOW + 4]
    mov qword [PTE(0)], FRAME_B | 0x103
    mov rcx, cr4
    and ecx, ~0x80
    mov cr4, rcx
    mov ebx, [WINDOW + 4]
    ENDX
    SHOW32 r_ax, r_bx
    EOL
    CASE "cr4.pae-off"                      ; not in long mode
    mov rax, cr4
    and eax, ~0x20
    AT
    mov cr4, rax
    END
    CASE "efer.lme-while-paging"
    mov ecx, 0xC0000080
    rdmsr
    and eax, ~0x100
    AT
    wrmsr
    END
    CASE "cr0.pg-off-in-64-bit-code"
    mov rax, cr0
    and eax, 0x7FFFFFFF
    AT
    mov cr0, rax
    END
    CASE "cr0.upper-bits"
    mov rax, cr0
    bts rax, 32
    AT
    mov cr0, rax
    END
    CASE "cr4.upper-bits"
    mov rax, cr4
    bts rax, 32
    AT
    mov cr4, rax
    END
    CASE "cr8"
    mov eax, 5
    mov cr8, rax
    mov rbx, cr8
    xor eax, eax
    mov cr8, rax
    ENDX
    SHOW16 r_bx
    EOL
    CASE "cr8.reserved"
    mov eax, 16
    AT
    mov cr8, rax
    END

;; SDM Vol. 3, 4.6.1: SMEP and SMAP; the program's own pages become the supervisor's
    and byte [PD], ~4
    mov rax, cr3
    mov cr3, rax
    mov rax, cr4
    or eax, 1 << 20
    mov cr4, rax
    PAGE_CASE "smep.user-page", FRAME_A | 7, 7, 7, {call rbx}
    PAGE_CASE "smep.supervisor-page", FRAME_A | 3, 7, 7, {call rbx}
    mov rax, cr4
    or eax, 1 << 21
    mov cr4, rax
    PAGE_CASE "smap.read", FRAME_A | 7, 7, 7, {mov eax, [rbx]}
    PAGE_CASE "smap.write", FRAME_A | 7, 7, 7, {mov [rbx + 8], eax}
    PAGE_CASE "smap.supervisor-page", FRAME_A | 3, 7, 7, {mov eax, [rbx]}
    CASE "smap.ac"
    SET_PAGE FRAME_A | 7, 7, 7
    stac
    mov eax, [WINDOW]
    clac
    AT
    mov eax, [WINDOW]
    END_PAGE
    FINISH
PROGRAM_END
