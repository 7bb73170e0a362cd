; Long mode: exceptions and frames of 64-bit mode, IST, compatibility mode, gates, syscall, sysret, sysenter, swapgs, canonical addresses.
%define MODE 64
%include "program.inc"

%define GATE0      0x60         ; call gate of 16 bytes, DPL 3
%define CODE_LD    0x70         ; L and D both set
%define GATE_NC    0x78         ; to a non-canonical offset; 16 bytes
%define GATE_32    0x88         ; to a 32-bit code segment; 16 bytes
%define NP_CODE    0x98
%define LDT_SEL    0xA0         ; 16 bytes
%define TSS2       0xB0         ; 16 bytes
%define BASED      0xC0         ; data with base 40000
%define CONF       0xC8

%define NONCANONICAL 0x800000000000

main:
    DESC CODE_LD, 0, 0xFFFFF, A_CODE, F_G | F_L | F_D
    DESC NP_CODE, 0, 0xFFFFF, A_CODE & ~A_PRESENT, F_G | F_L
    DESC BASED, 0x40000, 0xFFFFF, A_DATA | DPL(3), F_G | F_D
    DESC CONF, 0, 0xFFFFF, A_CONF, F_G | F_L
    DESC LDT_SEL, LDT, 0xFF, A_LDT, 0
    mov qword [GDT + LDT_SEL + 8], 0
    DESC TSS2, TSS, 0x67, A_TSS32, 0
    mov qword [GDT + TSS2 + 8], 0
    GATE GDT + GATE0, KC, V(at_ring0), A_CALL32 | DPL(3)
    mov qword [GDT + GATE0 + 8], 0
    GATE GDT + GATE_NC, KC, 0, A_CALL32 | DPL(3)
    mov qword [GDT + GATE_NC + 8], 0x8000
    GATE GDT + GATE_32, KC32, V(at_ring0), A_CALL32 | DPL(3)
    mov qword [GDT + GATE_32 + 8], 0
    jmp cases

align 8
seen_sp: dq 0
seen_ss: dq 0
seen_cs: dq 0
seen:    times 8 dq 0
far_gate: dd 0
          dw GATE0
far_nc:   dd 0
          dw GATE_NC
far_32:   dd 0
          dw GATE_32
far_ld:   dd 0
          dw CODE_LD
far_np:   dd 0
          dw NP_CODE
far_tss:  dd 0
          dw TSS2
far_data: dd 0
          dw KD

at_ring0:
    mov [seen_sp], rsp
    mov [seen_ss], ss
    mov [seen_cs], cs
    pop qword [seen]
    pop qword [seen + 8]
    pop qword [seen + 16]
    pop qword [seen + 24]
    int 0xFF

%macro TRY 2
    CASE %1
    AT
    %2
    END
%endmacro

cases:
;; SDM Vol. 3, 6.14: the frame of 64-bit mode: SS and RSP always pushed, RSP aligned to 16 first
    CASE "frame.alignment"
    sub rsp, 4
    mov rbx, rsp
    and ebx, 15
    AT
    ud2
    ENDX
    mov rax, [r_hsp]
    and eax, 15
    mov [value], rax
    SHOW16 value, r_ss
    mov rax, [case_sp]
    sub rax, [r_sp]
    mov [value], rax
    SHOW16 value, r_bx
    EOL
    CASE "frame.ring3"
    RING3
    AT
    cli
    ENDX
    SHOW16 r_ss, r_hss
    SHOW32 r_sp, r_hsp
    EOL
    CASE "frame.ss-null-in-ring0"
    xor eax, eax
    mov ss, eax
    AT
    ud2
    ENDX
    SHOW16 r_ss
    EOL
    CASE "frame.error-code"
    mov eax, 0x1008
    AT
    mov ds, eax
    ENDX
    mov rax, [r_hsp]
    and eax, 15
    mov [value], rax
    SHOW16 value
    EOL

;; SDM Vol. 2: instructions that 64-bit mode has not; #DE, #OF and others as elsewhere
    TRY "ud.push-cs", {db 0x0E}
    TRY "ud.push-ds", {db 0x1E}
    TRY "ud.pop-es", {db 0x07}
    TRY "ud.daa", {db 0x27}
    TRY "ud.aam", {db 0xD4, 0x0A}
    TRY "ud.into", {db 0xCE}
    TRY "ud.pusha", {db 0x60}
    TRY "ud.bound", {db 0x62, 0x00}
    TRY "ud.far-jump", {db 0xEA, 0, 0, 0, 0, 0x08, 0}
    TRY "ud.far-call", {db 0x9A, 0, 0, 0, 0, 0x08, 0}
    TRY "ud.lds", {db 0xC5, 0x00}
    TRY "ud.group-82", {db 0x82, 0xC0, 0x01}
    TRY "ud.salc", {db 0xD6}
    TRY "icebp", {db 0xF1}
    CASE "de"
    xor ecx, ecx
    AT
    div ecx
    END
    TRY "bp", int3

;; SDM Vol. 1, 3.3.7.1, Vol. 3, 6.15: addresses that are not canonical: #GP(0), by the stack #SS(0)
    CASE "canonical.read"
    mov rbx, NONCANONICAL
    AT
    mov eax, [rbx]
    END
    CASE "canonical.last"
    mov rbx, 0x7FFFFFFFFFFC
    AT
    mov rax, [rbx]
    END
    CASE "canonical.across"
    mov rbx, 0x7FFFFFFFFFFC
    AT
    mov rax, [rbx + 3]
    END
    CASE "canonical.rbp"
    mov rbp, NONCANONICAL
    AT
    mov eax, [rbp]
    END
    CASE "canonical.push"
    mov rbx, NONCANONICAL + 0x100
    mov byte [IDT + 12 * 16 + 4], 1         ; #SS needs a stack
    mov byte [IDT + 13 * 16 + 4], 1
    mov rsp, rbx
    AT
    push rax
    ENDX
    mov byte [IDT + 12 * 16 + 4], 0
    mov byte [IDT + 13 * 16 + 4], 0
    SHOW r_sp
    EOL
    CASE "canonical.jmp"
    mov rbx, NONCANONICAL
    AT
    jmp rbx
    END
    CASE "canonical.call"
    mov rbx, NONCANONICAL
    AT
    call rbx
    ENDX
    mov rax, [case_sp]
    sub rax, [r_sp]
    mov [value], rax
    SHOW16 value
    EOL
    CASE "canonical.ret"
    mov rbx, NONCANONICAL
    push rbx
    AT
    ret
    ENDX
    mov rax, [case_sp]
    sub rax, [r_sp]
    mov [value], rax
    SHOW16 value
    EOL
    CASE "canonical.iret"
    push KD
    push STACK2
    push 2
    push KC
    mov rbx, NONCANONICAL
    push rbx
    AT
    iretq
    END
    CASE "canonical.fs-base"
    mov ecx, 0xC0000100
    xor eax, eax
    mov edx, 0x8000
    AT
    wrmsr
    END
    CASE "canonical.invlpg"                 ; does nothing
    mov rbx, NONCANONICAL
    AT
    invlpg [rbx]
    END
    CASE "canonical.lea"
    mov rbx, NONCANONICAL
    lea rax, [rbx]
    ENDX
    SHOW r_ax
    EOL

;; SDM Vol. 3, 3.4.2.1: null selectors load, into SS too below ring 3; bases of FS and GS
    CASE "null.data"
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov rbx, value
    mov rax, [rbx]
    END
    CASE "null.ss-ring3"
    RING3
    mov eax, 3
    AT
    mov ss, eax
    END
    CASE "null.ss-rpl"
    mov eax, 3
    AT
    mov ss, eax
    END
    CASE "base.ds-ignored"
    mov eax, BASED
    mov ds, eax
    mov dword [value], 0x4455
    mov rbx, value
    mov eax, [rbx]
    ENDX
    SHOW16 r_ax
    EOL
    CASE "base.fs"
    mov dword [0x40010], 0x6677
    mov eax, BASED
    mov fs, eax
    mov ebx, [fs:0x10]
    ENDX
    SHOW16 r_bx
    EOL
    CASE "base.gs-msr"
    mov ecx, 0xC0000101
    mov eax, 0x40000
    xor edx, edx
    wrmsr
    mov ebx, [gs:0x10]
    ENDX
    SHOW16 r_bx
    EOL
    CASE "limit.ignored"
    DESC KD16, 0, 0, A_RDATA, 0             ; limit 0, read-only
    mov eax, KD16
    mov ds, eax
    mov rbx, value
    mov [rbx], rax
    END
    mov eax, KD
    mov ds, eax

;; SDM Vol. 2 (SWAPGS, SYSCALL, SYSRET, SYSENTER, SYSEXIT)
    CASE "swapgs"
    mov ecx, 0xC0000101
    mov eax, 0x1111
    xor edx, edx
    wrmsr
    mov ecx, 0xC0000102
    mov eax, 0x2222
    wrmsr
    swapgs
    mov ecx, 0xC0000101
    rdmsr
    mov ebx, eax
    mov ecx, 0xC0000102
    rdmsr
    ENDX
    SHOW16 r_bx, r_ax
    EOL
    CASE "swapgs.ring3"
    RING3
    AT
    swapgs
    END
    mov ecx, 0xC0000081                     ; STAR: kernel 08, user 18 (32-bit) and so on
    xor eax, eax
    mov edx, ((UC32 | 3) << 16) | KC
    wrmsr
    mov ecx, 0xC0000082                     ; LSTAR
    mov eax, syscall_entry
    xor edx, edx
    wrmsr
    mov ecx, 0xC0000083                     ; CSTAR
    mov eax, syscall_entry
    wrmsr
    mov ecx, 0xC0000084                     ; FMASK: DF, TF, AC
    mov eax, 0x40500
    wrmsr
    jmp syscall_cases
syscall_entry:
    mov [seen], rcx
    mov [seen + 8], r11
    mov [seen_cs], cs
    mov [seen_ss], ss
    mov [seen_sp], rsp
    pushfq
    pop qword [seen + 16]
    int 0xFF
syscall_return:
    o64 sysret
syscall_return32:
    sysret
syscall_cases:
    CASE "syscall"
    RING3 0x240C02
    AT
    syscall
    ENDX
    mov rax, [seen]
    sub rax, [case_at]
    mov [value], rax
    SHOW16 value, seen_cs, seen_ss
    SHOW32 seen_sp
    and dword [seen + 8], SYSFLAGS
    and dword [seen + 16], SYSFLAGS
    SHOW32 seen + 8, seen + 16
    EOL
    CASE "syscall.ring0"
    AT
    syscall
    ENDX
    SHOW16 seen_cs, seen_ss
    EOL
    CASE "syscall.sce-off"
    mov ecx, 0xC0000080
    rdmsr
    and eax, ~1
    wrmsr
    AT
    syscall
    END
    CASE "sysret.sce-off"
    AT
    o64 sysret
    END
    mov ecx, 0xC0000080
    rdmsr
    or eax, 1
    wrmsr
    CASE "sysret.64"
    mov rcx, .user
    mov r11, 0x40002
    mov rsp, STACK3
    o64 sysret
.user:
    AT
    cli
    ENDX
    SHOW16 r_ss
    SHOW32 r_sp
    EOL
    CASE "sysret.32"
    mov rcx, .user32
    mov r11, 2
    mov rsp, STACK3
    sysret
bits 32
.user32:
    inc eax
    AT
    cli
    ENDX
    SHOW16 r_ss
    EOL
    CASE "sysret.flags"                     ; RF and VM are cleared
    mov rcx, .user_flags
    mov r11, 0x33002 | 0x4000
    mov rsp, STACK3
    o64 sysret
.user_flags:
    AT
    ud2
    END
    CASE "sysret.noncanonical"
    mov rcx, NONCANONICAL
    mov r11, 2
    AT
    o64 sysret
    END
    CASE "sysret.ring3"
    RING3
    AT
    o64 sysret
    END
    mov ecx, 0x174                          ; SYSENTER_CS, ESP, EIP
    mov eax, KC
    xor edx, edx
    wrmsr
    mov ecx, 0x175
    mov eax, STACK2
    wrmsr
    mov ecx, 0x176
    mov eax, sysenter_entry
    wrmsr
    jmp sysenter_cases
sysenter_entry:
    mov [seen_cs], cs
    mov [seen_ss], ss
    mov [seen_sp], rsp
    pushfq
    pop qword [seen + 16]
    int 0xFF
sysenter_cases:
    CASE "sysenter"
    RING3 0x3002
    AT
    sysenter
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW32 seen_sp
    and dword [seen + 16], SYSFLAGS
    SHOW32 seen + 16
    EOL
    CASE "sysenter.compatibility"
    COMPAT3
    AT
    sysenter
    ENDX
    SHOW16 seen_cs, seen_ss
    EOL
    CASE "sysexit.64"
    mov rdx, .user
    mov rcx, STACK3
    o64 sysexit
.user:
    AT
    cli
    ENDX
    SHOW16 r_ss
    SHOW32 r_sp
    EOL
    CASE "sysexit.32"
    mov edx, .user32
    mov ecx, STACK3
    sysexit
bits 32
.user32:
    AT
    cli
    ENDX
    SHOW16 r_ss
    EOL
    CASE "sysexit.noncanonical"
    mov rdx, NONCANONICAL
    mov rcx, STACK3
    AT
    o64 sysexit
    END
    CASE "sysenter.msr-noncanonical"
    mov ecx, 0x176
    xor eax, eax
    mov edx, 0x8000
    AT
    wrmsr
    END

;; SDM Vol. 3, 5.8.3.1 and 5.8.5.1: call gates of 64-bit mode: 16 bytes, SS becomes null with the new RPL
    CASE "gate.inner"
    RING3
    AT
    call far dword [far_gate]
    ENDX
    SHOW16 seen_cs, seen_ss
    SHOW32 seen_sp
    mov rax, [seen]
    sub rax, [case_at]
    mov [value], rax
    SHOW16 value, seen + 8, seen + 24
    SHOW32 seen + 16
    EOL
    CASE "gate.same"
    AT
    call far dword [far_gate]
    ENDX
    SHOW16 seen_cs, seen_ss
    EOL
    CASE "gate.from-compatibility"
    COMPAT3
    AT
    call GATE0:0
    ENDX
    SHOW16 seen_cs, seen_ss, seen + 8
    SHOW32 seen_sp
    EOL
    CASE "gate.noncanonical"
    AT
    call far dword [far_nc]
    END
    CASE "gate.to-32-bit"
    AT
    call far dword [far_32]
    END
    CASE "gate.upper-type"
    mov dword [GDT + GATE0 + 12], 0x0800
    AT
    call far dword [far_gate]
    END
    mov dword [GDT + GATE0 + 12], 0
    CASE "far.l-and-d"
    AT
    jmp far dword [far_ld]
    END
    CASE "far.not-present"
    AT
    jmp far dword [far_np]
    END
    CASE "far.tss"                          ; no task switches
    AT
    jmp far dword [far_tss]
    END
    CASE "far.data"
    AT
    call far dword [far_data]
    END
    CASE "retf.to-ring3"
    push UD | 3
    push STACK3
    push UC64 | 3
    push .outer
    retfq
.outer:
    AT
    cli
    ENDX
    SHOW16 r_ss
    EOL
    CASE "retf.ss-null"                     ; to 64-bit ring 3: #GP; to rings 0 to 2 allowed
    push 0
    push STACK3
    push UC64 | 3
    push 0
    AT
    retfq
    END

;; SDM Vol. 2, IRET: 64-bit forms
    CASE "iret.same-ring-pops-stack"
    push KD
    push STACK2
    push 2
    push KC
    push .same
    iretq
.same:
    AT
    ud2
    ENDX
    SHOW32 r_sp
    SHOW16 r_ss
    EOL
    CASE "iret.ss-null-ring0"
    push 0
    push STACK2
    push 2
    push KC
    push .null
    iretq
.null:
    AT
    ud2
    ENDX
    SHOW16 r_ss
    EOL
    CASE "iret.ss-null-ring3"
    push 3
    push STACK3
    push 2
    push UC64 | 3
    push 0
    AT
    iretq
    END
    CASE "iret.nt"
    push 0x4002
    popfq
    AT
    iretq
    END
    CASE "iret.vm-ignored"
    push KD
    push STACK2
    push 0x20002
    push KC
    push .vm
    iretq
.vm:
    AT
    ud2
    END
    CASE "iret.data"
    push KD
    push STACK2
    push 2
    push KD
    push 0
    AT
    iretq
    END
    CASE "iret.l-and-d"
    push KD
    push STACK2
    push 2
    push CODE_LD
    push 0
    AT
    iretq
    END
    CASE "iretd"
    sub rsp, 20
    mov dword [rsp], .d
    mov dword [rsp + 4], KC
    mov dword [rsp + 8], 2
    mov dword [rsp + 12], STACK2
    mov dword [rsp + 16], KD
    iretd
.d:
    AT
    ud2
    ENDX
    SHOW32 r_sp
    EOL

;; SDM Vol. 3, 6.14.5 and 6.14.1: IST; gates must lead to 64-bit code
    CASE "ist"
    mov byte [IDT + 6 * 16 + 4], 1
    AT
    ud2
    ENDX
    mov byte [IDT + 6 * 16 + 4], 0
    SHOW32 r_hsp
    EOL
    CASE "ist.ring3"
    mov byte [IDT + 13 * 16 + 4], 1
    RING3
    AT
    hlt
    ENDX
    mov byte [IDT + 13 * 16 + 4], 0
    SHOW32 r_hsp
    SHOW16 r_hss
    EOL
    CASE "idt.to-32-bit-code"
    mov word [IDT + 0x80 * 16 + 2], KC32
    AT
    int 0x80
    END
    CASE "idt.not-present"
    mov word [IDT + 0x80 * 16 + 2], KC
    and byte [IDT + 0x80 * 16 + 5], ~A_PRESENT
    AT
    int 0x80
    END
    CASE "idt.task-gate"
    mov byte [IDT + 0x80 * 16 + 5], A_TASK
    AT
    int 0x80
    END
    CASE "idt.16-bit-gate"
    mov byte [IDT + 0x80 * 16 + 5], A_INT16
    AT
    int 0x80
    END
    CASE "idt.dpl"
    mov byte [IDT + 0x80 * 16 + 5], A_INT32
    RING3
    AT
    int 0x80
    END
    CASE "idt.beyond"
    mov word [value], 0xFEF
    mov qword [value + 2], IDT
    lidt [value]
    AT
    int 0xFF
    ENDX
    lidt [idtr]
    EOL
    CASE "idt.upper-offset"                 ; an offset that is not canonical: #GP(0)
    mov dword [IDT + 0x80 * 16 + 8], 0x8000
    AT
    int 0x80
    ENDX
    mov dword [IDT + 0x80 * 16 + 8], 0
    EOL
    CASE "idt.exception-not-present"
    and byte [IDT + 6 * 16 + 5], ~A_PRESENT
    AT
    ud2
    ENDX
    or byte [IDT + 6 * 16 + 5], A_PRESENT
    EOL

;; SDM Vol. 3, 3.2.4 (compatibility mode): segments count, addresses are cut to 32 bits; the frame of an exception is 64 bits wide
    CASE "compatibility.ring0"
    COMPAT0
    mov eax, 0x7FFFFFFF
    inc eax
    inc ecx
    AT
    ud2
    ENDX
    SHOW32 r_ax
    EOL
    CASE "compatibility.limit"
    DESC KD16, 0, 0xFFF, A_DATA, 0
    COMPAT0
    mov eax, KD16
    mov es, eax
    AT
    mov eax, [es:0x1000]
    END
    CASE "compatibility.null"
    COMPAT0
    xor eax, eax
    mov es, eax
    AT
    mov eax, [es:0]
    END
    CASE "compatibility.ring3"
    COMPAT3
    mov eax, esp
    AT
    hlt
    ENDX
    SHOW32 r_ax
    SHOW16 r_ss
    EOL
    CASE "compatibility.into"
    COMPAT0
    mov al, 0x7F
    inc al
    AT
    into
    END
    CASE "compatibility.upper-halves"       ; 64-bit registers after 32-bit code: only shown where written
    mov rbx, 0x1111111122222222
    COMPAT0
    mov eax, ebx
    AT
    ud2
    ENDX
    SHOW r_ax
    EOL
    CASE "compatibility.far-return"
    COMPAT0
    jmp KC:.long
bits 64
.long:
    mov rax, 0x123456789ABCDEF
    AT
    ud2
    ENDX
    SHOW r_ax
    EOL
    CASE "compatibility.vm-flag"
    COMPAT0
    push dword 0x20002
    popfd
    AT
    ud2
    END
    CASE "compatibility.sysret"
    COMPAT3
    AT
    db 0x0F, 0x07
    END
    CASE "compatibility.cr3-32-bits"
    COMPAT0
    mov eax, cr0
    AT
    ud2
    ENDX
    mov eax, [r_ax]
    and eax, 0x80000001
    mov [value], rax
    SHOW32 value
    EOL

;; SDM Vol. 2 (LLDT, LTR, LAR, SGDT, SIDT, STR) and Vol. 3, 3.5: system descriptors of 16 bytes
    CASE "lldt"
    mov eax, LDT_SEL
    lldt ax
    sldt eax
    ENDX
    SHOW16 r_ax
    EOL
    CASE "lldt.upper-not-canonical"
    mov dword [GDT + LDT_SEL + 8], 0x8000
    mov eax, LDT_SEL
    AT
    lldt ax
    END
    CASE "ltr.busy"
    mov eax, TR
    AT
    ltr ax
    END
    CASE "ltr.not-canonical"
    mov dword [GDT + TSS2 + 8], 0x8000
    mov eax, TSS2
    AT
    ltr ax
    END
    CASE "ltr.16-bit-tss"
    DESC TSS2, TSS, 0x2B, A_TSS16, 0
    mov eax, TSS2
    AT
    ltr ax
    END
    CASE "ldt.call-gate-at-end"             ; the upper half lies beyond the limit
    DESC LDT_SEL, LDT, 0xF, A_LDT, 0
    mov qword [GDT + LDT_SEL + 8], 0
    mov eax, LDT_SEL
    lldt ax
    GATE LDT + 8, KC, V(at_ring0), A_CALL32 | DPL(3)
    mov word [far_gate + 4], 0xC
    AT
    call far dword [far_gate]
    END
    CASE "sgdt"
    mov rax, -1
    mov [value], rax
    mov [value + 8], rax
    sgdt [value]
    ENDX
    SHOW16 value
    SHOW value + 2
    EOL
    CASE "smsw-str"
    mov rax, -1
    mov rbx, -1
    smsw rax
    str rbx
    and eax, 0x3F
    ENDX
    SHOW16 r_ax
    SHOW r_bx
    EOL

;; SDM Vol. 3, 6.14.4: stack of an inner ring from the TSS; not canonical: #SS
    CASE "stack.not-canonical"
    mov rax, NONCANONICAL
    mov [TSS + 4], rax
    mov byte [IDT + 12 * 16 + 4], 1
    mov byte [IDT + 8 * 16 + 4], 1
    RING3
    AT
    int 0xFF
    ENDX
    mov qword [TSS + 4], STACK0
    mov byte [IDT + 12 * 16 + 4], 0
    mov byte [IDT + 8 * 16 + 4], 0
    EOL

;; SDM Vol. 2, LGDT: #GP(0) for a base that is not canonical (last: a machine that takes it is lost)
    CASE "canonical.lgdt"
    mov word [value], 0xFFF
    mov rax, NONCANONICAL
    mov [value + 2], rax
    AT
    lgdt [value]
    END
    FINISH
PROGRAM_END
