namespace DynaTrans.Frontend.Ir;

/// <summary>
/// Vector operations: one static C# method of the same name each in the runtime's Helpers/Vector folder, with a signature by category (see
/// the runtime's vector table). The interpreter calls the method by function pointer, the IL back end by a call that RyuJIT inlines. Each
/// comment names the instructions (SDM Vol. 2); bits 63:0 of the result are also right for the MMX form, where there is no entry for that.
/// The order has a meaning: families stand together (VectorTable.FamilyOf), what may raise flags too (VectorTable.MayRaise), and a few ranges in
/// the back end; VectorTableTests and EnumOrderTests hold it.
/// </summary>
public enum VecOp : ushort
{
    /// <summary>No operation.</summary>
    None,

    // Bitwise logic, register moves, sign masks.
    /// <summary>pand, andps, andpd.</summary>
    And,
    /// <summary>pandn, andnps, andnpd: not a, and b.</summary>
    AndNot,
    /// <summary>por, orps, orpd.</summary>
    Or,
    /// <summary>pxor, xorps, xorpd.</summary>
    Xor,
    /// <summary>movss between registers: bits 31:0 of b, the rest of a.</summary>
    MoveSs,
    /// <summary>movsd between registers: bits 63:0 of b, the rest of a.</summary>
    MoveSd,
    /// <summary>movq between registers: bits 63:0 of b, zeros above.</summary>
    MoveQ,
    /// <summary>movhlps: high half of b below the high half of a.</summary>
    MoveHighToLow,
    /// <summary>movd from an integer: bits 31:0 of b, zeros above; a is not used.</summary>
    FromD,
    /// <summary>movq from an integer; a is not used.</summary>
    FromQ,
    /// <summary>A register xored with, subtracted from or found greater than itself; the operands are not used.</summary>
    Zero,
    /// <summary>A register compared equal to itself; the operands are not used.</summary>
    Ones,
    /// <summary>movd to an integer: bits 31:0.</summary>
    ToD,
    /// <summary>movq to an integer: bits 63:0.</summary>
    ToQ,
    /// <summary>movmskps.</summary>
    MovMskPs,
    /// <summary>movmskpd.</summary>
    MovMskPd,
    /// <summary>pmovmskb.</summary>
    PMovMskB,
    /// <summary>ptest: ZF and CF at their EFLAGS positions.</summary>
    PTest,
    /// <summary>a where the byte of b is negative, else 0: a step of pblendvb.</summary>
    AndSignB,
    /// <summary>a where the doubleword of b is negative, else 0: a step of blendvps.</summary>
    AndSignD,
    /// <summary>a where the quadword of b is negative, else 0: a step of blendvpd.</summary>
    AndSignQ,

    // Packed integer arithmetic, comparison, minimum and maximum.
    /// <summary>paddb.</summary>
    PAddB,
    /// <summary>paddw.</summary>
    PAddW,
    /// <summary>paddd.</summary>
    PAddD,
    /// <summary>paddq.</summary>
    PAddQ,
    /// <summary>psubb.</summary>
    PSubB,
    /// <summary>psubw.</summary>
    PSubW,
    /// <summary>psubd.</summary>
    PSubD,
    /// <summary>psubq.</summary>
    PSubQ,
    /// <summary>paddsb.</summary>
    PAddSB,
    /// <summary>paddusb.</summary>
    PAddUsB,
    /// <summary>psubsb.</summary>
    PSubSB,
    /// <summary>psubusb.</summary>
    PSubUsB,
    /// <summary>pavgb.</summary>
    PAvgB,
    /// <summary>paddsw.</summary>
    PAddSW,
    /// <summary>paddusw.</summary>
    PAddUsW,
    /// <summary>psubsw.</summary>
    PSubSW,
    /// <summary>psubusw.</summary>
    PSubUsW,
    /// <summary>pavgw.</summary>
    PAvgW,
    /// <summary>pcmpeqb.</summary>
    PCmpEqB,
    /// <summary>pcmpgtb.</summary>
    PCmpGtB,
    /// <summary>pcmpeqw.</summary>
    PCmpEqW,
    /// <summary>pcmpgtw.</summary>
    PCmpGtW,
    /// <summary>pcmpeqd.</summary>
    PCmpEqD,
    /// <summary>pcmpgtd.</summary>
    PCmpGtD,
    /// <summary>pcmpeqq.</summary>
    PCmpEqQ,
    /// <summary>pcmpgtq.</summary>
    PCmpGtQ,
    /// <summary>pminub.</summary>
    PMinUb,
    /// <summary>pminsw.</summary>
    PMinSw,
    /// <summary>pminsb.</summary>
    PMinSb,
    /// <summary>pminuw.</summary>
    PMinUw,
    /// <summary>pminsd.</summary>
    PMinSd,
    /// <summary>pminud.</summary>
    PMinUd,
    /// <summary>pmaxub.</summary>
    PMaxUb,
    /// <summary>pmaxsw.</summary>
    PMaxSw,
    /// <summary>pmaxsb.</summary>
    PMaxSb,
    /// <summary>pmaxuw.</summary>
    PMaxUw,
    /// <summary>pmaxsd.</summary>
    PMaxSd,
    /// <summary>pmaxud.</summary>
    PMaxUd,
    /// <summary>pmullw.</summary>
    PMulLw,
    /// <summary>pmulhw.</summary>
    PMulHw,
    /// <summary>pmulhuw.</summary>
    PMulHuw,
    /// <summary>pmulld.</summary>
    PMulLd,
    /// <summary>pmuludq.</summary>
    PMulUdq,
    /// <summary>pmuldq.</summary>
    PMulDq,
    /// <summary>pmulhrsw.</summary>
    PMulHrsw,
    /// <summary>pmaddwd.</summary>
    PMaddWd,
    /// <summary>pmaddubsw: a unsigned, b signed.</summary>
    PMaddUbsw,
    /// <summary>psadbw.</summary>
    PSadBw,
    /// <summary>mpsadbw.</summary>
    MPSadBw,
    /// <summary>phminposuw.</summary>
    PHMinPosUw,
    /// <summary>pabsb.</summary>
    PAbsB,
    /// <summary>pabsw.</summary>
    PAbsW,
    /// <summary>pabsd.</summary>
    PAbsD,
    /// <summary>psignb.</summary>
    PSignB,
    /// <summary>psignw.</summary>
    PSignW,
    /// <summary>psignd.</summary>
    PSignD,
    /// <summary>phaddw.</summary>
    PHAddW,
    /// <summary>phaddd.</summary>
    PHAddD,
    /// <summary>phaddsw.</summary>
    PHAddSw,
    /// <summary>phsubw.</summary>
    PHSubW,
    /// <summary>phsubd.</summary>
    PHSubD,
    /// <summary>phsubsw.</summary>
    PHSubSw,

    // Packed shifts.
    /// <summary>psllw by the count in bits 63:0 of b.</summary>
    PSllW,
    /// <summary>psllw by a constant.</summary>
    PSllWImm,
    /// <summary>pslld by the count in bits 63:0 of b.</summary>
    PSllD,
    /// <summary>pslld by a constant.</summary>
    PSllDImm,
    /// <summary>psllq by the count in bits 63:0 of b.</summary>
    PSllQ,
    /// <summary>psllq by a constant.</summary>
    PSllQImm,
    /// <summary>psrlw by the count in bits 63:0 of b.</summary>
    PSrlW,
    /// <summary>psrlw by a constant.</summary>
    PSrlWImm,
    /// <summary>psrld by the count in bits 63:0 of b.</summary>
    PSrlD,
    /// <summary>psrld by a constant.</summary>
    PSrlDImm,
    /// <summary>psrlq by the count in bits 63:0 of b.</summary>
    PSrlQ,
    /// <summary>psrlq by a constant.</summary>
    PSrlQImm,
    /// <summary>psraw by the count in bits 63:0 of b.</summary>
    PSraW,
    /// <summary>psraw by a constant.</summary>
    PSraWImm,
    /// <summary>psrad by the count in bits 63:0 of b.</summary>
    PSraD,
    /// <summary>psrad by a constant.</summary>
    PSraDImm,
    /// <summary>pslldq.</summary>
    PSllDq,
    /// <summary>psrldq.</summary>
    PSrlDq,

    // Packing, interleaving, shuffling, element access, widening, blending.
    /// <summary>packsswb.</summary>
    PackSsWb,
    /// <summary>packssdw.</summary>
    PackSsDw,
    /// <summary>packuswb.</summary>
    PackUsWb,
    /// <summary>packusdw.</summary>
    PackUsDw,
    /// <summary>punpcklbw.</summary>
    PUnpckLBw,
    /// <summary>punpcklwd.</summary>
    PUnpckLWd,
    /// <summary>punpckldq, unpcklps.</summary>
    PUnpckLDq,
    /// <summary>punpcklqdq, unpcklpd.</summary>
    PUnpckLQdq,
    /// <summary>punpckhbw.</summary>
    PUnpckHBw,
    /// <summary>punpckhwd.</summary>
    PUnpckHWd,
    /// <summary>punpckhdq, unpckhps.</summary>
    PUnpckHDq,
    /// <summary>punpckhqdq, unpckhpd.</summary>
    PUnpckHQdq,
    /// <summary>pshufb.</summary>
    PShufB,
    /// <summary>pshufd.</summary>
    PShufD,
    /// <summary>pshuflw, and pshufw of MMX.</summary>
    PShufLw,
    /// <summary>pshufhw.</summary>
    PShufHw,
    /// <summary>shufps.</summary>
    ShufPs,
    /// <summary>shufpd.</summary>
    ShufPd,
    /// <summary>palignr.</summary>
    PAlignR,
    /// <summary>movsldup.</summary>
    MovSlDup,
    /// <summary>movshdup.</summary>
    MovShDup,
    /// <summary>movddup.</summary>
    MovDDup,
    /// <summary>pinsrb.</summary>
    PInsrB,
    /// <summary>pinsrw.</summary>
    PInsrW,
    /// <summary>pinsrd.</summary>
    PInsrD,
    /// <summary>pinsrq.</summary>
    PInsrQ,
    /// <summary>pextrb.</summary>
    PExtrB,
    /// <summary>pextrw.</summary>
    PExtrW,
    /// <summary>pextrd, extractps.</summary>
    PExtrD,
    /// <summary>pextrq.</summary>
    PExtrQ,
    /// <summary>insertps.</summary>
    InsertPs,
    /// <summary>blendps.</summary>
    BlendPs,
    /// <summary>blendpd.</summary>
    BlendPd,
    /// <summary>pblendw.</summary>
    PBlendW,
    /// <summary>pmovsxbw.</summary>
    PMovSxBw,
    /// <summary>pmovsxbd.</summary>
    PMovSxBd,
    /// <summary>pmovsxbq.</summary>
    PMovSxBq,
    /// <summary>pmovsxwd.</summary>
    PMovSxWd,
    /// <summary>pmovsxwq.</summary>
    PMovSxWq,
    /// <summary>pmovsxdq.</summary>
    PMovSxDq,
    /// <summary>pmovzxbw.</summary>
    PMovZxBw,
    /// <summary>pmovzxbd.</summary>
    PMovZxBd,
    /// <summary>pmovzxbq.</summary>
    PMovZxBq,
    /// <summary>pmovzxwd.</summary>
    PMovZxWd,
    /// <summary>pmovzxwq.</summary>
    PMovZxWq,
    /// <summary>pmovzxdq.</summary>
    PMovZxDq,

    // MMX forms whose low 64 bits do not follow from the 128-bit form.
    /// <summary>pmovmskb of an MMX register.</summary>
    PMovMskBMmx,
    /// <summary>packsswb of MMX registers: the 128-bit form of both operands in one register.</summary>
    PackSsWbMmx,
    /// <summary>packssdw of MMX registers: the 128-bit form of both operands in one register.</summary>
    PackSsDwMmx,
    /// <summary>packuswb of MMX registers: the 128-bit form of both operands in one register.</summary>
    PackUsWbMmx,
    /// <summary>phaddw of MMX registers: the 128-bit form of both operands in one register.</summary>
    PHAddWMmx,
    /// <summary>phaddd of MMX registers: the 128-bit form of both operands in one register.</summary>
    PHAddDMmx,
    /// <summary>phaddsw of MMX registers: the 128-bit form of both operands in one register.</summary>
    PHAddSwMmx,
    /// <summary>phsubw of MMX registers: the 128-bit form of both operands in one register.</summary>
    PHSubWMmx,
    /// <summary>phsubd of MMX registers: the 128-bit form of both operands in one register.</summary>
    PHSubDMmx,
    /// <summary>phsubsw of MMX registers: the 128-bit form of both operands in one register.</summary>
    PHSubSwMmx,
    /// <summary>punpckhbw of MMX registers.</summary>
    PUnpckHBwMmx,
    /// <summary>punpckhwd of MMX registers.</summary>
    PUnpckHWdMmx,
    /// <summary>punpckhdq of MMX registers.</summary>
    PUnpckHDqMmx,
    /// <summary>pshufb of MMX registers: selectors have 3 bits.</summary>
    PShufBMmx,
    /// <summary>palignr of MMX registers: a above b, 16 bytes, shifted right.</summary>
    PAlignRMmx,
    /// <summary>cvtpi2ps: two integers of b to the low half of a.</summary>
    CvtPi2Ps,
    /// <summary>cvtps2pi: the high half is cleared first so that it raises no flag.</summary>
    CvtPs2Pi,
    /// <summary>cvttps2pi.</summary>
    CvttPs2Pi,

    // Packed single and double precision arithmetic. Of two NaNs the first operand must win, but RyuJIT takes packed addition and
    // multiplication for commutative and swaps operands as suits it. It does not when the first is a blend of both (of which all comes from the
    // first); the blends differ so that one is not shared by an addition and a multiplication, as a variable then could be swapped.
    /// <summary>addps.</summary>
    AddPs,
    /// <summary>subps.</summary>
    SubPs,
    /// <summary>mulps.</summary>
    MulPs,
    /// <summary>divps.</summary>
    DivPs,
    /// <summary>minps.</summary>
    MinPs,
    /// <summary>maxps.</summary>
    MaxPs,
    /// <summary>sqrtps.</summary>
    SqrtPs,
    /// <summary>addsubps.</summary>
    AddSubPs,
    /// <summary>haddps.</summary>
    HAddPs,
    /// <summary>hsubps.</summary>
    HSubPs,
    /// <summary>dpps.</summary>
    DpPs,
    /// <summary>cmpps, predicate in bits 2:0 of the immediate.</summary>
    CmpPs,
    /// <summary>roundps.</summary>
    RoundPs,
    /// <summary>addpd.</summary>
    AddPd,
    /// <summary>subpd.</summary>
    SubPd,
    /// <summary>mulpd.</summary>
    MulPd,
    /// <summary>divpd.</summary>
    DivPd,
    /// <summary>minpd.</summary>
    MinPd,
    /// <summary>maxpd.</summary>
    MaxPd,
    /// <summary>sqrtpd.</summary>
    SqrtPd,
    /// <summary>addsubpd.</summary>
    AddSubPd,
    /// <summary>haddpd.</summary>
    HAddPd,
    /// <summary>hsubpd.</summary>
    HSubPd,
    /// <summary>dppd.</summary>
    DpPd,
    /// <summary>cmppd, predicate in bits 2:0 of the immediate.</summary>
    CmpPd,
    /// <summary>roundpd.</summary>
    RoundPd,
    /// <summary>rcpps: the approximation of the host.</summary>
    RcpPs,
    /// <summary>rsqrtps: the approximation of the host.</summary>
    RsqrtPs,

    // Scalar single and double precision arithmetic; bits above the element come from a.
    /// <summary>addss.</summary>
    AddSs,
    /// <summary>subss.</summary>
    SubSs,
    /// <summary>mulss.</summary>
    MulSs,
    /// <summary>divss.</summary>
    DivSs,
    /// <summary>minss.</summary>
    MinSs,
    /// <summary>maxss.</summary>
    MaxSs,
    /// <summary>sqrtss.</summary>
    SqrtSs,
    /// <summary>cmpss, predicate in bits 2:0 of the immediate.</summary>
    CmpSs,
    /// <summary>roundss.</summary>
    RoundSs,
    /// <summary>comiss: ZF, PF and CF.</summary>
    ComiSs,
    /// <summary>ucomiss: ZF, PF and CF.</summary>
    UcomiSs,
    /// <summary>addsd.</summary>
    AddSd,
    /// <summary>subsd.</summary>
    SubSd,
    /// <summary>mulsd.</summary>
    MulSd,
    /// <summary>divsd.</summary>
    DivSd,
    /// <summary>minsd.</summary>
    MinSd,
    /// <summary>maxsd.</summary>
    MaxSd,
    /// <summary>sqrtsd.</summary>
    SqrtSd,
    /// <summary>cmpsd, predicate in bits 2:0 of the immediate.</summary>
    CmpSd,
    /// <summary>roundsd.</summary>
    RoundSd,
    /// <summary>comisd: ZF, PF and CF.</summary>
    ComiSd,
    /// <summary>ucomisd: ZF, PF and CF.</summary>
    UcomiSd,
    /// <summary>rcpss.</summary>
    RcpSs,
    /// <summary>rsqrtss.</summary>
    RsqrtSs,

    // Conversions between integers and floating point, rounding and out-of-range results as the host CPU makes them.
    /// <summary>cvtdq2ps.</summary>
    CvtDq2Ps,
    /// <summary>cvtps2dq.</summary>
    CvtPs2Dq,
    /// <summary>cvttps2dq.</summary>
    CvttPs2Dq,
    /// <summary>cvtdq2pd, cvtpi2pd.</summary>
    CvtDq2Pd,
    /// <summary>cvtpd2dq, cvtpd2pi.</summary>
    CvtPd2Dq,
    /// <summary>cvttpd2dq, cvttpd2pi.</summary>
    CvttPd2Dq,
    /// <summary>cvtps2pd.</summary>
    CvtPs2Pd,
    /// <summary>cvtpd2ps.</summary>
    CvtPd2Ps,
    /// <summary>cvtss2sd.</summary>
    CvtSs2Sd,
    /// <summary>cvtsd2ss.</summary>
    CvtSd2Ss,
    /// <summary>cvtsi2ss from 32 bits.</summary>
    CvtSi2Ss32,
    /// <summary>cvtsi2ss from 64 bits.</summary>
    CvtSi2Ss64,
    /// <summary>cvtsi2sd from 32 bits.</summary>
    CvtSi2Sd32,
    /// <summary>cvtsi2sd from 64 bits.</summary>
    CvtSi2Sd64,
    /// <summary>cvtss2si to 32 bits.</summary>
    CvtSs2Si32,
    /// <summary>cvtss2si to 64 bits.</summary>
    CvtSs2Si64,
    /// <summary>cvttss2si to 32 bits.</summary>
    CvttSs2Si32,
    /// <summary>cvttss2si to 64 bits.</summary>
    CvttSs2Si64,
    /// <summary>cvtsd2si to 32 bits.</summary>
    CvtSd2Si32,
    /// <summary>cvtsd2si to 64 bits.</summary>
    CvtSd2Si64,
    /// <summary>cvttsd2si to 32 bits.</summary>
    CvttSd2Si32,
    /// <summary>cvttsd2si to 64 bits.</summary>
    CvttSd2Si64,

    // AES, carry-less multiplication, and the mask result of the string comparisons.
    /// <summary>aesenc.</summary>
    AesEnc,
    /// <summary>aesenclast.</summary>
    AesEncLast,
    /// <summary>aesdec.</summary>
    AesDec,
    /// <summary>aesdeclast.</summary>
    AesDecLast,
    /// <summary>aesimc.</summary>
    AesImc,
    /// <summary>aeskeygenassist.</summary>
    AesKeyGenAssist,
    /// <summary>pclmulqdq.</summary>
    PClMulQdq,
    /// <summary>Result of pcmpestrm and pcmpistrm from IntRes2 in bits 15:0 of b; a is not used.</summary>
    PcmpStrMask,

    /// <summary>Number of operations.</summary>
    Count,
}
