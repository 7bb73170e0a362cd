; x87, MMX and SSE as an operating system sees them: CR0.EM, TS, MP, NE; CR4.OSFXSR and OSXMMEXCPT; #NM, #MF, #XM, FERR#.
%define MODE 32
%include "program.inc"

%define MP 2
%define EM 4
%define TS 8
%define NE 0x20

%macro SET_CR0 1
    mov eax, cr0
    and eax, ~0x2E
    or eax, %1
    mov cr0, eax
%endmacro

%macro TRY 3                    ; name, CR0 bits, instruction
    CASE %1
    SET_CR0 %2
    AT
    %3
    RESUME
    call back
    call report
    EOL
%endmacro

main:
    fninit
    mov eax, cr4
    or eax, 0x600                           ; OSFXSR, OSXMMEXCPT
    mov cr4, eax
    jmp cases
back:
    mov eax, cr0
    and eax, ~0x2E
    or eax, NE
    mov cr0, eax
    ret

cases:
;; SDM Vol. 3, table 9-3 and 2.5: #NM of x87 instructions: EM or TS; wait: MP and TS together
    TRY "x87.plain", NE, fld1
    TRY "x87.em", EM, fld1
    TRY "x87.ts", TS, fld1
    TRY "x87.em-ts", EM | TS, fld1
    TRY "x87.fninit-ts", TS, fninit
    TRY "x87.fnstcw-em", EM, {fnstcw [value]}
    TRY "x87.fnstsw-ts", TS, {fnstsw ax}
    TRY "x87.fnclex-ts", TS, fnclex
    TRY "wait.ts", TS, wait
    TRY "wait.mp", MP, wait
    TRY "wait.mp-ts", MP | TS, wait
    TRY "wait.em", EM, wait
    TRY "wait.em-mp-ts", EM | MP | TS, wait
    CASE "x87.nm-before-page"               ; #NM before the operand is touched
    SET_CR0 TS
    mov eax, KD16
    mov es, ax
    AT
    fld qword [es:0x20000]
    RESUME
    call back
    call report
    EOL

;; SDM Vol. 3, table 12-1 and 2.5: MMX: EM #UD, TS #NM
    TRY "mmx.plain", NE, {movd mm0, eax}
    TRY "mmx.em", EM, {movd mm0, eax}
    TRY "mmx.ts", TS, {movd mm0, eax}
    TRY "mmx.em-ts", EM | TS, {movd mm0, eax}
    TRY "mmx.emms-ts", TS, emms

;; SDM Vol. 3, 13.1 and 2.5: SSE: EM or not OSFXSR #UD, TS #NM
    TRY "sse.plain", NE, {xorps xmm0, xmm0}
    TRY "sse.em", EM, {xorps xmm0, xmm0}
    TRY "sse.ts", TS, {xorps xmm0, xmm0}
    TRY "sse.em-ts", EM | TS, {xorps xmm0, xmm0}
    TRY "sse.ldmxcsr-ts", TS, {ldmxcsr [value]}
    TRY "sse.sfence-ts", TS, sfence
    TRY "sse.prefetch-em", EM, {prefetchnta [value]}
    TRY "sse.movnti-ts", TS, {movnti [value], eax}
    TRY "sse.pause-em", EM, pause
    TRY "fxsave.ts", TS, {fxsave [DATA]}
    TRY "fxsave.em", EM, {fxsave [DATA]}
    CASE "fxsave.unaligned"
    AT
    fxsave [DATA + 8]
    END
    mov eax, cr4
    and eax, ~0x200
    mov cr4, eax
    TRY "sse.no-osfxsr", NE, {xorps xmm0, xmm0}
    TRY "sse.no-osfxsr-ts", TS, {xorps xmm0, xmm0}
    TRY "sse.no-osfxsr-ldmxcsr", NE, {ldmxcsr [value]}
    TRY "sse.no-osfxsr-mmx", NE, {movd mm0, eax}
    emms
    mov eax, cr4
    or eax, 0x200
    mov cr4, eax

;; SDM Vol. 1, 8.7 and 8.6: an unmasked x87 exception is reported by the next waiting instruction, with NE as #MF
    CASE "mf.next-instruction"
    SET_CR0 NE
    fninit
    mov word [value], 0x37B                 ; ZM off
    fldcw [value]
    fld1
    fldz
    fdivp
    nop
    AT
    fld1
    RESUME
    fnstsw [value + 8]
    fnclex
    call report
    SHOW16 value + 8
    EOL
    CASE "mf.wait"
    fninit
    fldcw [value]
    fld1
    fldz
    fdivp
    AT
    wait
    RESUME
    fnclex
    call report
    EOL
    CASE "mf.fnclex"                        ; instructions that do not wait
    fninit
    fldcw [value]
    fld1
    fldz
    fdivp
    fnstsw ax
    fnclex
    AT
    wait
    ENDX
    SHOW16 r_ax
    EOL
    CASE "mf.nm-first"
    fninit
    fldcw [value]
    fld1
    fldz
    fdivp
    SET_CR0 NE | MP | TS
    AT
    wait
    RESUME
    call back
    fnclex
    call report
    EOL
    CASE "mf.mmx"
    fninit
    fldcw [value]
    fld1
    fldz
    fdivp
    AT
    movd mm0, eax
    RESUME
    fnclex
    emms
    call report
    EOL
    CASE "mf.fldcw-unmasks"                 ; an exception that is pending becomes unmasked
    fninit
    fld1
    fldz
    fdivp
    fldcw [value]
    AT
    fld1
    RESUME
    fnclex
    call report
    EOL
    fninit

;; SDM Vol. 1, 11.5.2: SSE: unmasked exceptions fault, #XM or (without OSXMMEXCPT) #UD
    CASE "xm"
    mov dword [value], 0x1D80               ; ZM off
    ldmxcsr [value]
    mov eax, 0x3F800000
    movd xmm0, eax
    xorps xmm1, xmm1
    AT
    divss xmm0, xmm1
    RESUME
    stmxcsr [value + 8]
    movd [value + 16], xmm0
    call report
    SHOW value + 8, value + 16
    EOL
    CASE "xm.no-osxmmexcpt"
    mov eax, cr4
    and eax, ~0x400
    mov cr4, eax
    mov eax, 0x3F800000
    movd xmm0, eax
    xorps xmm1, xmm1
    AT
    divss xmm0, xmm1
    RESUME
    mov eax, cr4
    or eax, 0x400
    mov cr4, eax
    mov dword [value], 0x1F80
    ldmxcsr [value]
    call report
    EOL
    CASE "ldmxcsr.reserved"
    mov dword [value], 0x80001F80
    AT
    ldmxcsr [value]
    END
    CASE "movaps.unaligned"
    AT
    movaps xmm0, [DATA + 4]
    END
    CASE "fxrstor.mxcsr-reserved"
    fxsave [DATA]
    mov dword [DATA + 24], 0x80001F80
    AT
    fxrstor [DATA]
    END
    CASE "xgetbv.no-osxsave"
    xor ecx, ecx
    AT
    xgetbv
    END
    FINISH
PROGRAM_END
