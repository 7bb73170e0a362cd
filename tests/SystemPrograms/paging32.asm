; 32-bit paging: permissions, error codes, accessed and dirty bits, 4 MiB pages, reserved bits, accesses that cross pages, SMEP and SMAP.
%define MODE 32
%include "program.inc"
%include "paging32.inc"

; One access to the window: name, entry of page 0, directory entry flags, instruction. Ends with the fault, CR2, the entry and the directory entry.
%macro PAGE_CASE 4
    CASE %1
    SET_PAGE %2, %3
    mov ebx, WINDOW
    AT
    %4
    END_PAGE
%endmacro

%macro SET_PAGE 2
    mov dword [PTE(0)], %1
    mov dword [DIRECTORY + (WINDOW >> 22) * 4], TABLE2 | %2
    mov eax, cr3
    mov cr3, eax
    xor eax, eax
    mov cr2, eax
    mov [r_cr2], eax
%endmacro

; Whether an access that faults sets accessed bits on its way is the processor's own affair (4.8): they are not shown then.
%macro END_PAGE 0
    RESUME
    call report
    mov ebx, PTE(0)
    mov esi, DIRECTORY + (WINDOW >> 22) * 4
    call show_entries
    EOL
%endmacro

%macro USER_CASE 4
    CASE %1
    SET_PAGE %2, %3
    RING3
    mov ebx, WINDOW
    AT
    %4
    END_PAGE
%endmacro

; CR2 and the entries at EBX and ESI.
show_entries:
    mov eax, [ebx]
    mov [value], eax
    mov eax, [esi]
    mov [value + 8], eax
    cmp dword [r_vec], 14
    jne .show
    and dword [value], ~0x20
    and dword [value + 8], ~0x20
.show:
    SHOW r_cr2, value, value + 8
    ret

main:
    mov edi, DIRECTORY
    mov ecx, 3 * 1024
    xor eax, eax
    rep stosd
    mov dword [DIRECTORY], TABLE | 7
    mov dword [DIRECTORY + 4], 0x400087
    mov edi, TABLE
    mov eax, 7
    mov ecx, 1024
.identity:
    stosd
    add eax, 0x1000
    loop .identity
    mov eax, cr4
    or eax, 0x10                            ; PSE
    mov cr4, eax
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000                      ; PG, WP
    mov cr0, eax
    mov dword [FRAME_A], 0x0FF0CD90         ; nop; int 0xF0 ...
    mov dword [FRAME_B], 0xBBBBBBBB

;; SDM Vol. 3, 4.6 and 4.7: rights and error codes P W/R U/S of a supervisor, with CR0.WP; 4.8: accessed and dirty bits
    PAGE_CASE "super.not-present-read", FRAME_A, 7, {mov eax, [ebx + 0x123]}
    PAGE_CASE "super.not-present-write", FRAME_A, 7, {mov [ebx + 0x124], eax}
    PAGE_CASE "super.directory-not-present", FRAME_A | 7, 6, {mov [ebx], eax}
    PAGE_CASE "super.read", FRAME_A | 1, 1, {mov eax, [ebx]}
    PAGE_CASE "super.read-sets-accessed", FRAME_A | 3, 3, {mov eax, [ebx]}
    PAGE_CASE "super.write-sets-dirty", FRAME_A | 3, 3, {mov [ebx + 0x100], eax}
    PAGE_CASE "super.write-read-only", FRAME_A | 1, 3, {mov [ebx], eax}
    PAGE_CASE "super.write-read-only-directory", FRAME_A | 3, 1, {mov [ebx], eax}
    PAGE_CASE "super.rmw-read-only", FRAME_A | 1, 3, {add dword [ebx], 1}
    PAGE_CASE "super.cmp-read-only", FRAME_A | 1, 3, {cmp dword [ebx], 1}
    PAGE_CASE "super.cmpxchg-different", FRAME_A | 1, 3, {cmpxchg [ebx], ecx}
    PAGE_CASE "super.user-page-read-only", FRAME_A | 5, 7, {mov [ebx], eax}
    PAGE_CASE "super.accessed-only-if-allowed", FRAME_A | 1, 3, {mov [ebx], eax}
    mov eax, cr0
    and eax, ~0x10000                       ; WP off
    mov cr0, eax
    PAGE_CASE "wp0.write-read-only", FRAME_A | 1, 1, {mov [ebx + 0x100], eax}
    PAGE_CASE "wp0.write-user-read-only", FRAME_A | 5, 5, {mov [ebx + 0x100], eax}
    USER_CASE "wp0.user-write-read-only", FRAME_A | 5, 7, {mov [ebx + 0x100], eax}
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    USER_CASE "user.read", FRAME_A | 5, 5, {mov eax, [ebx]}
    USER_CASE "user.write", FRAME_A | 7, 7, {mov [ebx + 0x100], eax}
    USER_CASE "user.not-present", FRAME_A | 6, 7, {mov eax, [ebx + 8]}
    USER_CASE "user.not-present-write", FRAME_A | 6, 7, {mov [ebx + 8], eax}
    USER_CASE "user.supervisor-page", FRAME_A | 3, 7, {mov eax, [ebx]}
    USER_CASE "user.supervisor-page-write", FRAME_A | 3, 7, {mov [ebx], eax}
    USER_CASE "user.supervisor-directory", FRAME_A | 7, 3, {mov eax, [ebx]}
    USER_CASE "user.write-read-only", FRAME_A | 5, 7, {mov [ebx], eax}
    USER_CASE "user.write-read-only-directory", FRAME_A | 7, 5, {mov [ebx], eax}
    USER_CASE "user.rmw-read-only", FRAME_A | 5, 7, {inc byte [ebx]}
    USER_CASE "user.push-supervisor", FRAME_A | 3, 7, {push dword [ebx]}
    USER_CASE "user.xchg-read-only", FRAME_A | 5, 7, {xchg [ebx], eax}
    USER_CASE "user.bts-read-only", FRAME_A | 5, 7, {bts dword [ebx], 3}
    USER_CASE "user.bt-read-only", FRAME_A | 5, 7, {bt dword [ebx], 3}

;; SDM Vol. 3, 4.7: fetches: I/D is 0 without NX and SMEP; the address is that of the byte that is missing
    PAGE_CASE "fetch.not-present", FRAME_A | 6, 7, {call ebx}
    USER_CASE "fetch.user-supervisor-page", FRAME_A | 3, 7, {jmp ebx}
    CASE "fetch.second-page"
    mov word [FRAME_A + 0xFFE], 0x00B8      ; mov eax, imm32, the rest in page 1
    mov dword [PTE(1)], 0
    SET_PAGE FRAME_A | 7, 7
    mov dword [case_at], WINDOW + 0xFFE
    mov ebx, WINDOW + 0xFFE
    jmp ebx
    END_PAGE
    CASE "fetch.last-bytes"                 ; an instruction that just fits needs nothing of the next page
    mov word [FRAME_A + 0xFFE], 0x0B0F      ; ud2
    SET_PAGE FRAME_A | 7, 7
    mov dword [case_at], WINDOW + 0xFFE
    mov ebx, WINDOW + 0xFFE
    jmp ebx
    END_PAGE
    CASE "fetch.next-instruction"
    mov word [FRAME_A + 0xFFE], 0x9090
    SET_PAGE FRAME_A | 7, 7
    mov dword [case_at], WINDOW + 0xFFE
    mov ebx, WINDOW + 0xFFE
    jmp ebx
    END_PAGE

;; SDM Vol. 3, 4.7 and 6.15 (#PF): accesses that cross into a page that faults: CR2 is the first byte there; nothing is written
    CASE "cross.read-second"
    mov dword [PTE(1)], FRAME_B
    SET_PAGE FRAME_A | 7, 7
    AT
    mov eax, [WINDOW + 0xFFE]
    END_PAGE
    CASE "cross.write-second"
    mov dword [FRAME_A + 0xFFC], 0x12345678
    mov dword [PTE(1)], FRAME_B
    SET_PAGE FRAME_A | 7, 7
    mov eax, -1
    AT
    mov [WINDOW + 0xFFE], eax
    RESUME
    call report
    SHOW r_cr2, FRAME_A + 0xFFC
    EOL
    CASE "cross.write-second-read-only"
    mov dword [PTE(1)], FRAME_B | 5
    SET_PAGE FRAME_A | 7, 7
    mov eax, -1
    AT
    mov [WINDOW + 0xFFE], eax
    RESUME
    call report
    SHOW r_cr2, FRAME_A + 0xFFC
    EOL
    CASE "cross.read-first"
    mov dword [PTE(1)], FRAME_B | 7
    SET_PAGE FRAME_A, 7
    AT
    mov eax, [WINDOW + 0xFFD]
    END_PAGE
    CASE "cross.write-both"
    mov dword [PTE(1)], FRAME_B | 3
    SET_PAGE FRAME_A | 3, 7
    mov eax, 0xA1B2C3D4
    mov [WINDOW + 0xFFE], eax
    RESUME
    call report
    SHOW FRAME_A + 0xFFC, FRAME_B, PTE(0), PTE(1)
    EOL

;; SDM Vol. 3, 4.3: 4 MiB pages: permissions and D are in the directory entry; bits 21:13 are reserved except PSE-36's and PAT
%macro BIG_CASE 3               ; name, directory entry, instruction
    CASE %1
    mov dword [DIRECTORY + 12], %2          ; linear C00000
    mov eax, cr3
    mov cr3, eax
    xor eax, eax
    mov [r_cr2], eax
    mov ebx, 0xC00000
    AT
    %3
    RESUME
    call report
    mov ebx, DIRECTORY + 12
    mov esi, ebx
    call show_entries
    EOL
%endmacro
    BIG_CASE "big.read", 0x81, {mov eax, [ebx + FRAME_B]}
    BIG_CASE "big.write", 0x83, {mov [ebx + FRAME_C], eax}
    BIG_CASE "big.write-read-only", 0x81, {mov [ebx + FRAME_C], eax}
    BIG_CASE "big.not-present", 0x82, {mov [ebx + FRAME_C], eax}
    BIG_CASE "big.reserved-21", 0x00200083, {mov eax, [ebx]}
    BIG_CASE "big.reserved-write", 0x00200083, {mov [ebx], eax}
    BIG_CASE "big.pat", 0x1083, {mov eax, [ebx + FRAME_B]}
    BIG_CASE "big.global", 0x183, {mov eax, [ebx + FRAME_B]}
    CASE "big.value"
    mov dword [FRAME_C], 0xCCCC1111
    mov dword [DIRECTORY + 12], 0x83
    mov eax, cr3
    mov cr3, eax
    mov eax, [0xC00000 + FRAME_C]
    ENDX
    SHOW r_ax
    EOL
    CASE "big.split"                        ; the same addresses by a table
    mov dword [PTE(0x42)], FRAME_B | 3
    mov dword [DIRECTORY + 12], TABLE2 | 3
    invlpg [0xC00000 + FRAME_C]
    mov eax, [0xC00000 + FRAME_C]
    ENDX
    SHOW r_ax
    EOL
    CASE "big.pse-off"                      ; PS means nothing without CR4.PSE
    mov eax, cr4
    and eax, ~0x10
    mov cr4, eax
    mov dword [DIRECTORY + 12], TABLE2 | 0x83
    mov eax, [0xC00000 + FRAME_C]
    mov ebx, cr4
    or ebx, 0x10
    mov cr4, ebx
    ENDX
    SHOW r_ax
    EOL

;; SDM Vol. 3, 4.10.4: what must be invalidated and how: invlpg, mov cr3, global pages, CR4.PGE
    CASE "tlb.invlpg"
    mov dword [PTE(1)], FRAME_A | 3
    mov dword [FRAME_A + 4], 0xAAAAAAAA
    mov dword [FRAME_B + 4], 0xBBBBBBBB
    SET_PAGE FRAME_A | 3, 7
    mov eax, [WINDOW + 4]
    mov dword [PTE(0)], FRAME_B | 3
    invlpg [WINDOW + 0x800]
    mov ebx, [WINDOW + 4]
    ENDX
    SHOW r_ax, r_bx
    EOL
    CASE "tlb.cr3"
    SET_PAGE FRAME_A | 3, 7
    mov eax, [WINDOW + 4]
    mov dword [PTE(0)], FRAME_B | 3
    mov ecx, cr3
    mov cr3, ecx
    mov ebx, [WINDOW + 4]
    ENDX
    SHOW r_ax, r_bx
    EOL
    CASE "tlb.global-by-pge"
    mov eax, cr4
    or eax, 0x80
    mov cr4, eax
    SET_PAGE FRAME_A | 0x103, 7
    mov eax, [WINDOW + 4]
    mov dword [PTE(0)], FRAME_B | 0x103
    mov ecx, cr4
    and ecx, ~0x80
    mov cr4, ecx
    mov ebx, [WINDOW + 4]
    ENDX
    SHOW r_ax, r_bx
    EOL
    CASE "tlb.not-present-to-present"       ; needs no invalidation
    SET_PAGE 0, 7
    mov dword [hook], make_present
    jmp tlb_go
make_present:
    mov dword [PTE(0)], FRAME_B | 3
    mov dword [hook], 0
    mov eax, cr2
    mov [value], eax
    jmp unwind
tlb_go:
    mov eax, [WINDOW + 4]
    ENDX
    SHOW r_ax, value
    EOL
    CASE "tlb.more-rights"                  ; the fault drops the old entry
    SET_PAGE FRAME_A | 1, 7
    mov eax, [WINDOW]
    mov dword [hook], make_writable
    jmp tlb_go2
make_writable:
    mov dword [PTE(0)], FRAME_A | 3
    mov dword [hook], 0
    jmp unwind
tlb_go2:
    mov dword [WINDOW + 0x200], 0x5005
    mov eax, [FRAME_A + 0x200]
    ENDX
    SHOW r_ax, PTE(0)
    EOL
    CASE "tlb.dirty-again"                  ; software clears D, invalidates; the next store sets it
    SET_PAGE FRAME_A | 3, 7
    mov dword [WINDOW], 0
    mov dword [PTE(0)], FRAME_A | 3
    invlpg [WINDOW]
    mov eax, [WINDOW]
    mov ecx, [PTE(0)]
    mov dword [WINDOW], 0
    mov edx, [PTE(0)]
    ENDX
    SHOW r_cx, r_dx
    EOL
    CASE "tlb.alias"
    mov dword [PTE(1)], FRAME_A | 3
    SET_PAGE FRAME_A | 3, 7
    mov dword [WINDOW + 0x40], 0x13579BDF
    mov eax, [WINDOW + 0x1040]
    mov ecx, [PTE(1)]
    ENDX
    SHOW r_ax, r_cx
    EOL
    CASE "paging.off-and-on"
    SET_PAGE FRAME_A | 3, 7
    mov dword [FRAME_A + 4], 0xAAAAAAAA
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    mov ebx, [FRAME_A + 4]
    or eax, 0x80000000
    mov cr0, eax
    mov ecx, [WINDOW + 4]
    ENDX
    SHOW r_bx, r_cx
    EOL

;; SDM Vol. 3, 4.6: implicit supervisor accesses: the GDT, IDT and TSS may be on supervisor pages for ring 3
    CASE "implicit.user"
    and dword [TABLE + (GDT >> 12) * 4], ~4
    and dword [TABLE + (IDT >> 12) * 4], ~4
    and dword [TABLE + (TSS >> 12) * 4], ~4
    and dword [TABLE + ((STACK0 - 1) >> 12) * 4], ~4
    mov eax, cr3
    mov cr3, eax
    RING3
    mov ax, UD | 3
    mov fs, ax
    AT
    cli
    END
    CASE "implicit.gdt-not-present"         ; #PF of a descriptor's read is the supervisor's
    DESC 0x1000, 0, 0xFFFFF, A_DATA, F_G | F_D
    mov dword [value], 0x2FFF
    mov word [value], 0x2FFF
    mov dword [value + 2], GDT
    lgdt [value]
    and dword [TABLE + (LDT >> 12) * 4], ~1
    mov eax, cr3
    mov cr3, eax
    RING3
    mov eax, 0x1003
    AT
    mov fs, ax
    RESUME
    call report
    SHOW r_cr2
    or dword [TABLE + (LDT >> 12) * 4], 1
    lgdt [gdtr]
    EOL

;; SDM Vol. 3, 4.6.1: SMEP and SMAP (CR4 bits 20 and 21), EFLAGS.AC
    mov eax, 7
    xor ecx, ecx
    cpuid
    test ebx, 1 << 7
    jz no_smep
    mov ecx, 0xE                            ; the program itself must be the supervisor's
.supervisor:
    and dword [TABLE + ecx * 4], ~4
    loop .supervisor
    mov eax, cr3
    mov cr3, eax
    mov eax, cr4
    or eax, 1 << 20
    mov cr4, eax
    mov byte [FRAME_A], 0xC3                ; ret
    PAGE_CASE "smep.fetch-user-page", FRAME_A | 7, 7, {call ebx}
    PAGE_CASE "smep.fetch-supervisor-page", FRAME_A | 3, 7, {call ebx}
    PAGE_CASE "smep.fetch-user-directory", FRAME_A | 3, 7, {call ebx}
    PAGE_CASE "smep.read-user-page", FRAME_A | 7, 7, {mov eax, [ebx]}
    PAGE_CASE "smep.fetch-not-present", FRAME_A | 6, 7, {call ebx}
no_smep:
    mov eax, 7
    xor ecx, ecx
    cpuid
    test ebx, 1 << 20
    jz no_smap
    ; the handlers' data must be the supervisor's, too
    mov ecx, 0x80
.supervisor2:
    and dword [TABLE + (ecx - 1) * 4], ~4
    loop .supervisor2
    mov eax, cr3
    mov cr3, eax
    mov eax, cr4
    or eax, 1 << 21
    mov cr4, eax
    PAGE_CASE "smap.read-user-page", FRAME_A | 7, 7, {mov eax, [ebx]}
    PAGE_CASE "smap.write-user-page", FRAME_A | 7, 7, {mov [ebx + 0x100], eax}
    PAGE_CASE "smap.read-supervisor-page", FRAME_A | 3, 7, {mov eax, [ebx]}
    PAGE_CASE "smap.user-read-only-write", FRAME_A | 5, 7, {mov [ebx], eax}
    CASE "smap.stac"
    SET_PAGE FRAME_A | 7, 7
    stac
    mov eax, [WINDOW]
    clac
    AT
    mov eax, [WINDOW]
    END_PAGE
    CASE "smap.popf-ac"
    SET_PAGE FRAME_A | 7, 7
    push dword 0x40002
    popfd
    mov eax, [WINDOW]
    AT
    ud2
    END_PAGE
    CASE "smap.implicit"                    ; a descriptor table on a user page: AC does not help
    mov dword [FRAME_C], 0x0000FFFF
    mov dword [FRAME_C + 4], 0x00CF9300
    SET_PAGE FRAME_C | 7, 7
    DESC 0x60, WINDOW, 0xFF, A_LDT, 0
    mov eax, 0x60
    lldt ax
    stac
    mov eax, 4
    AT
    mov fs, ax
    END_PAGE
    mov eax, cr4
    and eax, ~(3 << 20)
    mov cr4, eax
no_smap:
    FINISH
PROGRAM_END
