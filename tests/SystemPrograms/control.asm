; Control registers, EFER and other model-specific registers in 32-bit protected mode: reserved bits, what depends on what, lmsw, clts.
%define MODE 32
%include "program.inc"

; Tries a value in a control register: EAX has it in the case.
%macro TRY_CR 3                 ; name, register, value or the register's own changed
    CASE %1
    mov eax, %2
    %3
    AT
    mov %2, eax
    END
%endmacro

%macro TRY_WRMSR 4              ; name, register, low, high
    CASE %1
    mov ecx, %2
    mov eax, %3
    mov edx, %4
    AT
    wrmsr
    END
%endmacro

%macro TRY_RDMSR 2
    CASE %1
    mov ecx, %2
    AT
    rdmsr
    END
%endmacro

main:
    mov eax, cr0
    mov [value + 16], eax
;; SDM Vol. 3, 2.5 and Vol. 2, MOV to control registers: CR0: PG without PE, NW without CD, bits 63:32; reserved bits are ignored
    TRY_CR "cr0.nw-without-cd", cr0, {or eax, 0x20000000}
    CASE "cr0.reserved"
    mov eax, cr0
    or eax, 0x1000FFC0
    and eax, ~0x1000
    mov ebx, eax
    mov cr0, eax
    mov ecx, cr0
    mov eax, [value + 16]
    mov cr0, eax
    ENDX
    SHOW r_cx
    EOL
    CASE "cr0.et-fixed"                     ; ET is 1
    mov eax, cr0
    and eax, ~0x10
    mov cr0, eax
    mov ecx, cr0
    ENDX
    SHOW r_cx
    EOL
    CASE "cr0.am-wp-ne-mp"
    mov eax, 0x00050033
    mov cr0, eax
    mov ecx, cr0
    mov eax, [value + 16]
    mov cr0, eax
    ENDX
    SHOW r_cx
    EOL
    CASE "lmsw"                             ; sets MP, EM, TS; cannot clear PE
    mov ax, 0xE
    lmsw ax
    mov ecx, cr0
    mov ax, 1
    lmsw ax
    mov edx, cr0
    and ecx, 15
    and edx, 15
    ENDX
    SHOW16 r_cx, r_dx
    EOL
    CASE "smsw"
    mov eax, 0x55555555
    smsw ax
    mov edx, -1
    smsw edx
    ENDX
    SHOW16 r_ax, r_dx
    EOL
    CASE "clts"
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    clts
    mov ecx, cr0
    and ecx, 15
    ENDX
    SHOW16 r_cx
    EOL
    CASE "cr1.read"
    AT
    db 0x0F, 0x20, 0xC8
    END
    CASE "cr5.write"
    AT
    db 0x0F, 0x22, 0xE8
    END
    CASE "cr8.needs-64-bit"
    AT
    db 0xF0, 0x0F, 0x20, 0xC0               ; lock mov: #UD here
    END
    CASE "cr2"
    mov eax, 0x12345678
    mov cr2, eax
    mov ecx, cr2
    ENDX
    SHOW r_cx
    EOL
    CASE "cr3.low-bits"                     ; PWT and PCD are kept
    mov eax, 0x00020FFF
    mov cr3, eax
    mov ecx, cr3
    and ecx, 0xFFFFF018
    xor eax, eax
    mov cr3, eax
    ENDX
    SHOW r_cx
    EOL

;; SDM Vol. 3, 2.5: CR4: reserved bits #GP(0); PCIDE only in long mode
    TRY_CR "cr4.reserved-31", cr4, {or eax, 0x80000000}
    TRY_CR "cr4.reserved-15", cr4, {or eax, 0x8000}
    TRY_CR "cr4.reserved-19", cr4, {or eax, 0x80000}
    TRY_CR "cr4.pcide-without-lma", cr4, {or eax, 1 << 17}
    TRY_CR "cr4.vme-off-tsd-de", cr4, {or eax, 0xC}
    CASE "cr4.tsd"
    RING3
    AT
    rdtsc
    END
    CASE "cr4.tsd-ring0"
    rdtsc
    END
    mov eax, cr4
    and eax, ~0xC
    mov cr4, eax
    CASE "cr4.tsd-off"
    RING3
    rdtsc
    AT
    cli
    END
    CASE "rdpmc.ring3"
    RING3
    xor ecx, ecx
    AT
    rdpmc
    END

;; SDM Vol. 4: unknown registers #GP(0); reserved bits; read-only registers
    TRY_RDMSR "rdmsr.unknown", 0x12345678
    TRY_WRMSR "wrmsr.unknown", 0x12345678, 0, 0
    TRY_RDMSR "rdmsr.tsc", 0x10
    TRY_RDMSR "rdmsr.apic-base", 0x1B
    TRY_RDMSR "rdmsr.misc-enable", 0x1A0
    TRY_RDMSR "rdmsr.pat", 0x277
    TRY_RDMSR "rdmsr.mtrr-cap", 0xFE
    TRY_RDMSR "rdmsr.mtrr-def-type", 0x2FF
    TRY_WRMSR "wrmsr.mtrr-cap", 0xFE, 0, 0
    TRY_RDMSR "rdmsr.efer", 0xC0000080
    TRY_RDMSR "rdmsr.star", 0xC0000081
    TRY_WRMSR "wrmsr.efer-reserved", 0xC0000080, 2, 0
    TRY_WRMSR "wrmsr.efer-reserved-high", 0xC0000080, 0, 1
    TRY_WRMSR "wrmsr.efer-nxe-sce", 0xC0000080, 0x801, 0
    TRY_WRMSR "wrmsr.efer-clear", 0xC0000080, 0, 0
    TRY_WRMSR "wrmsr.pat-type-2", 0x277, 0x00070402, 0x00070406
    TRY_WRMSR "wrmsr.pat-type-7", 0x277, 0x00070406, 0x00070706
    CASE "pat"
    mov ecx, 0x277
    mov eax, 0x01050406
    mov edx, 0x00070406
    wrmsr
    rdmsr
    mov ebx, eax
    mov eax, 0x00070406
    wrmsr
    ENDX
    SHOW r_bx
    EOL
    TRY_WRMSR "wrmsr.mtrr-def-type-bad", 0x2FF, 2, 0
    TRY_WRMSR "wrmsr.mtrr-base-reserved", 0x200, 0x00000F06, 0
    TRY_WRMSR "wrmsr.mtrr-fixed-bad", 0x250, 0x02020202, 0x02020202
    CASE "mtrr"
    mov ecx, 0x201
    mov eax, 0xFF000800
    mov edx, 0xF
    wrmsr
    rdmsr
    mov ebx, eax
    xor eax, eax
    xor edx, edx
    wrmsr
    mov ecx, 0x26F
    mov eax, 0x06060606
    mov edx, 0x05050505
    wrmsr
    xor eax, eax
    rdmsr
    ENDX
    SHOW r_bx, r_ax, r_dx
    EOL
    CASE "sysenter-registers"
    mov ecx, 0x175
    mov eax, 0x12345678
    xor edx, edx
    wrmsr
    xor eax, eax
    rdmsr
    ENDX
    SHOW r_ax
    EOL
    TRY_WRMSR "wrmsr.apic-base-reserved", 0x1B, 0xFEE00801, 0
    CASE "rdtscp-or-ud"
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 27
    jz .none
    mov ecx, 0xC0000103
    mov eax, 0x77
    xor edx, edx
    wrmsr
    rdtscp
    mov ebx, ecx
    jmp .done
.none:
    mov ebx, 0x77
.done:
    ENDX
    SHOW16 r_bx
    EOL
    CASE "umip-or-not"                      ; UMIP: sgdt, sidt, sldt, str, smsw fault at ring 3
    mov eax, 7
    xor ecx, ecx
    cpuid
    test ecx, 1 << 2
    jz .no_umip
    mov eax, cr4
    or eax, 1 << 11
    mov cr4, eax
    RING3
    AT
    sgdt [value]
    jmp .end
.no_umip:
    RING3
    jmp .no
.no:
    cli
.end:
    RESUME
    call report_name
    SHOW16 r_vec
    mov eax, cr4
    and eax, ~(1 << 11)
    mov cr4, eax
    EOL

;; SDM Vol. 2, CPUID: leaf 1 tells of OSXSAVE, APIC; leaf 0 a maximum of at least 1; the string is ASCII
    CASE "cpuid"
    xor eax, eax
    cpuid
    cmp eax, 1
    setae al
    ENDX
    SHOW16 r_ax
    EOL
    CASE "invlpg.register"                  ; no register form (0F 01 /7 with mod 3 and rm 7)
    AT
    db 0x0F, 0x01, 0xFF
    END
    CASE "wbinvd"
    wbinvd
    END
    CASE "cr2.mod-ignored"                ; mod is ignored: always a register
    mov eax, cr2
    db 0x0F, 0x20, 0x10 | 0x00              ; mov eax, cr2 with mod 0
    END
;; SDM Vol. 2, MOV to control registers: PG without PE: #GP(0) (last: a machine that takes it is lost)
    TRY_CR "cr0.pg-without-pe", cr0, {mov eax, 0x80000010}
    FINISH
PROGRAM_END
