using DynaTrans.Frontend.Ir;
using Iced.Intel;
using M = Iced.Intel.Mnemonic;
using O = DynaTrans.Frontend.Ir.VecOp;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// Which vector operation each mnemonic is, by shape of its operands; <see cref="SseOperations"/> has one lifting method a shape. Rows are
/// (mnemonic, operation, operation of the MMX form, 1 when the instruction can raise a SIMD floating-point exception); None where there is
/// no such form. Kept as constant data: filling the table costs no compilation.
/// </summary>
internal static class SseTable
{
    private const int MnemonicLimit = 2048;
    private const int Columns = 4;

    private static readonly Entry[] Entries = new Entry[MnemonicLimit];

    public static ReadOnlySpan<ushort> Binary =>
    [
        (ushort)M.Pand, (ushort)O.And, (ushort)O.And, 0, (ushort)M.Pandn, (ushort)O.AndNot, (ushort)O.AndNot, 0,
        (ushort)M.Por, (ushort)O.Or, (ushort)O.Or, 0, (ushort)M.Pxor, (ushort)O.Xor, (ushort)O.Xor, 0, (ushort)M.Andps, (ushort)O.And, 0, 0,
        (ushort)M.Andpd, (ushort)O.And, 0, 0, (ushort)M.Andnps, (ushort)O.AndNot, 0, 0, (ushort)M.Andnpd, (ushort)O.AndNot, 0, 0,
        (ushort)M.Orps, (ushort)O.Or, 0, 0, (ushort)M.Orpd, (ushort)O.Or, 0, 0, (ushort)M.Xorps, (ushort)O.Xor, 0, 0,
        (ushort)M.Xorpd, (ushort)O.Xor, 0, 0, (ushort)M.Movhlps, (ushort)O.MoveHighToLow, 0, 0,
        (ushort)M.Movlhps, (ushort)O.PUnpckLQdq, 0, 0, (ushort)M.Paddb, (ushort)O.PAddB, (ushort)O.PAddB, 0,
        (ushort)M.Psubb, (ushort)O.PSubB, (ushort)O.PSubB, 0, (ushort)M.Paddw, (ushort)O.PAddW, (ushort)O.PAddW, 0,
        (ushort)M.Psubw, (ushort)O.PSubW, (ushort)O.PSubW, 0, (ushort)M.Paddd, (ushort)O.PAddD, (ushort)O.PAddD, 0,
        (ushort)M.Psubd, (ushort)O.PSubD, (ushort)O.PSubD, 0, (ushort)M.Paddq, (ushort)O.PAddQ, (ushort)O.PAddQ, 0,
        (ushort)M.Psubq, (ushort)O.PSubQ, (ushort)O.PSubQ, 0, (ushort)M.Paddsb, (ushort)O.PAddSB, (ushort)O.PAddSB, 0,
        (ushort)M.Paddusb, (ushort)O.PAddUsB, (ushort)O.PAddUsB, 0, (ushort)M.Psubsb, (ushort)O.PSubSB, (ushort)O.PSubSB, 0,
        (ushort)M.Psubusb, (ushort)O.PSubUsB, (ushort)O.PSubUsB, 0, (ushort)M.Pavgb, (ushort)O.PAvgB, (ushort)O.PAvgB, 0,
        (ushort)M.Paddsw, (ushort)O.PAddSW, (ushort)O.PAddSW, 0, (ushort)M.Paddusw, (ushort)O.PAddUsW, (ushort)O.PAddUsW, 0,
        (ushort)M.Psubsw, (ushort)O.PSubSW, (ushort)O.PSubSW, 0, (ushort)M.Psubusw, (ushort)O.PSubUsW, (ushort)O.PSubUsW, 0,
        (ushort)M.Pavgw, (ushort)O.PAvgW, (ushort)O.PAvgW, 0, (ushort)M.Pcmpeqb, (ushort)O.PCmpEqB, (ushort)O.PCmpEqB, 0,
        (ushort)M.Pcmpgtb, (ushort)O.PCmpGtB, (ushort)O.PCmpGtB, 0, (ushort)M.Pcmpeqw, (ushort)O.PCmpEqW, (ushort)O.PCmpEqW, 0,
        (ushort)M.Pcmpgtw, (ushort)O.PCmpGtW, (ushort)O.PCmpGtW, 0, (ushort)M.Pcmpeqd, (ushort)O.PCmpEqD, (ushort)O.PCmpEqD, 0,
        (ushort)M.Pcmpgtd, (ushort)O.PCmpGtD, (ushort)O.PCmpGtD, 0, (ushort)M.Pcmpeqq, (ushort)O.PCmpEqQ, 0, 0,
        (ushort)M.Pcmpgtq, (ushort)O.PCmpGtQ, 0, 0, (ushort)M.Pminub, (ushort)O.PMinUb, (ushort)O.PMinUb, 0,
        (ushort)M.Pminsw, (ushort)O.PMinSw, (ushort)O.PMinSw, 0, (ushort)M.Pminsb, (ushort)O.PMinSb, 0, 0,
        (ushort)M.Pminuw, (ushort)O.PMinUw, 0, 0, (ushort)M.Pminsd, (ushort)O.PMinSd, 0, 0, (ushort)M.Pminud, (ushort)O.PMinUd, 0, 0,
        (ushort)M.Pmaxub, (ushort)O.PMaxUb, (ushort)O.PMaxUb, 0, (ushort)M.Pmaxsw, (ushort)O.PMaxSw, (ushort)O.PMaxSw, 0,
        (ushort)M.Pmaxsb, (ushort)O.PMaxSb, 0, 0, (ushort)M.Pmaxuw, (ushort)O.PMaxUw, 0, 0, (ushort)M.Pmaxsd, (ushort)O.PMaxSd, 0, 0,
        (ushort)M.Pmaxud, (ushort)O.PMaxUd, 0, 0, (ushort)M.Pmullw, (ushort)O.PMulLw, (ushort)O.PMulLw, 0,
        (ushort)M.Pmulhw, (ushort)O.PMulHw, (ushort)O.PMulHw, 0, (ushort)M.Pmulhuw, (ushort)O.PMulHuw, (ushort)O.PMulHuw, 0,
        (ushort)M.Pmuludq, (ushort)O.PMulUdq, (ushort)O.PMulUdq, 0, (ushort)M.Pmulhrsw, (ushort)O.PMulHrsw, (ushort)O.PMulHrsw, 0,
        (ushort)M.Pmulld, (ushort)O.PMulLd, 0, 0, (ushort)M.Pmuldq, (ushort)O.PMulDq, 0, 0,
        (ushort)M.Pmaddwd, (ushort)O.PMaddWd, (ushort)O.PMaddWd, 0, (ushort)M.Pmaddubsw, (ushort)O.PMaddUbsw, (ushort)O.PMaddUbsw, 0,
        (ushort)M.Psadbw, (ushort)O.PSadBw, (ushort)O.PSadBw, 0, (ushort)M.Psignb, (ushort)O.PSignB, (ushort)O.PSignB, 0,
        (ushort)M.Psignw, (ushort)O.PSignW, (ushort)O.PSignW, 0, (ushort)M.Psignd, (ushort)O.PSignD, (ushort)O.PSignD, 0,
        (ushort)M.Phaddw, (ushort)O.PHAddW, (ushort)O.PHAddWMmx, 0, (ushort)M.Phaddd, (ushort)O.PHAddD, (ushort)O.PHAddDMmx, 0,
        (ushort)M.Phaddsw, (ushort)O.PHAddSw, (ushort)O.PHAddSwMmx, 0, (ushort)M.Phsubw, (ushort)O.PHSubW, (ushort)O.PHSubWMmx, 0,
        (ushort)M.Phsubd, (ushort)O.PHSubD, (ushort)O.PHSubDMmx, 0, (ushort)M.Phsubsw, (ushort)O.PHSubSw, (ushort)O.PHSubSwMmx, 0,
        (ushort)M.Packsswb, (ushort)O.PackSsWb, (ushort)O.PackSsWbMmx, 0, (ushort)M.Packssdw, (ushort)O.PackSsDw, (ushort)O.PackSsDwMmx, 0,
        (ushort)M.Packuswb, (ushort)O.PackUsWb, (ushort)O.PackUsWbMmx, 0, (ushort)M.Packusdw, (ushort)O.PackUsDw, 0, 0,
        (ushort)M.Punpcklbw, (ushort)O.PUnpckLBw, (ushort)O.PUnpckLBw, 0,
        (ushort)M.Punpckhbw, (ushort)O.PUnpckHBw, (ushort)O.PUnpckHBwMmx, 0,
        (ushort)M.Punpcklwd, (ushort)O.PUnpckLWd, (ushort)O.PUnpckLWd, 0,
        (ushort)M.Punpckhwd, (ushort)O.PUnpckHWd, (ushort)O.PUnpckHWdMmx, 0,
        (ushort)M.Punpckldq, (ushort)O.PUnpckLDq, (ushort)O.PUnpckLDq, 0,
        (ushort)M.Punpckhdq, (ushort)O.PUnpckHDq, (ushort)O.PUnpckHDqMmx, 0, (ushort)M.Punpcklqdq, (ushort)O.PUnpckLQdq, 0, 0,
        (ushort)M.Punpckhqdq, (ushort)O.PUnpckHQdq, 0, 0, (ushort)M.Unpcklps, (ushort)O.PUnpckLDq, 0, 0,
        (ushort)M.Unpckhps, (ushort)O.PUnpckHDq, 0, 0, (ushort)M.Unpcklpd, (ushort)O.PUnpckLQdq, 0, 0,
        (ushort)M.Unpckhpd, (ushort)O.PUnpckHQdq, 0, 0, (ushort)M.Pshufb, (ushort)O.PShufB, (ushort)O.PShufBMmx, 0,
        (ushort)M.Addps, (ushort)O.AddPs, 0, 1, (ushort)M.Addpd, (ushort)O.AddPd, 0, 1, (ushort)M.Addss, (ushort)O.AddSs, 0, 1,
        (ushort)M.Addsd, (ushort)O.AddSd, 0, 1, (ushort)M.Subps, (ushort)O.SubPs, 0, 1, (ushort)M.Subpd, (ushort)O.SubPd, 0, 1,
        (ushort)M.Subss, (ushort)O.SubSs, 0, 1, (ushort)M.Subsd, (ushort)O.SubSd, 0, 1, (ushort)M.Mulps, (ushort)O.MulPs, 0, 1,
        (ushort)M.Mulpd, (ushort)O.MulPd, 0, 1, (ushort)M.Mulss, (ushort)O.MulSs, 0, 1, (ushort)M.Mulsd, (ushort)O.MulSd, 0, 1,
        (ushort)M.Divps, (ushort)O.DivPs, 0, 1, (ushort)M.Divpd, (ushort)O.DivPd, 0, 1, (ushort)M.Divss, (ushort)O.DivSs, 0, 1,
        (ushort)M.Divsd, (ushort)O.DivSd, 0, 1, (ushort)M.Minps, (ushort)O.MinPs, 0, 1, (ushort)M.Minpd, (ushort)O.MinPd, 0, 1,
        (ushort)M.Minss, (ushort)O.MinSs, 0, 1, (ushort)M.Minsd, (ushort)O.MinSd, 0, 1, (ushort)M.Maxps, (ushort)O.MaxPs, 0, 1,
        (ushort)M.Maxpd, (ushort)O.MaxPd, 0, 1, (ushort)M.Maxss, (ushort)O.MaxSs, 0, 1, (ushort)M.Maxsd, (ushort)O.MaxSd, 0, 1,
        (ushort)M.Sqrtss, (ushort)O.SqrtSs, 0, 1, (ushort)M.Sqrtsd, (ushort)O.SqrtSd, 0, 1, (ushort)M.Rcpss, (ushort)O.RcpSs, 0, 0,
        (ushort)M.Rsqrtss, (ushort)O.RsqrtSs, 0, 0, (ushort)M.Addsubps, (ushort)O.AddSubPs, 0, 1,
        (ushort)M.Addsubpd, (ushort)O.AddSubPd, 0, 1, (ushort)M.Haddps, (ushort)O.HAddPs, 0, 1, (ushort)M.Haddpd, (ushort)O.HAddPd, 0, 1,
        (ushort)M.Hsubps, (ushort)O.HSubPs, 0, 1, (ushort)M.Hsubpd, (ushort)O.HSubPd, 0, 1, (ushort)M.Cvtss2sd, (ushort)O.CvtSs2Sd, 0, 1,
        (ushort)M.Cvtsd2ss, (ushort)O.CvtSd2Ss, 0, 1,
    ];

    public static ReadOnlySpan<ushort> AesBinary =>
    [
        (ushort)M.Aesenc, (ushort)O.AesEnc, 0, 0, (ushort)M.Aesenclast, (ushort)O.AesEncLast, 0, 0,
        (ushort)M.Aesdec, (ushort)O.AesDec, 0, 0, (ushort)M.Aesdeclast, (ushort)O.AesDecLast, 0, 0,
    ];

    public static ReadOnlySpan<ushort> BinaryImm =>
    [
        (ushort)M.Shufps, (ushort)O.ShufPs, 0, 0, (ushort)M.Shufpd, (ushort)O.ShufPd, 0, 0,
        (ushort)M.Palignr, (ushort)O.PAlignR, (ushort)O.PAlignRMmx, 0, (ushort)M.Blendps, (ushort)O.BlendPs, 0, 0,
        (ushort)M.Blendpd, (ushort)O.BlendPd, 0, 0, (ushort)M.Pblendw, (ushort)O.PBlendW, 0, 0, (ushort)M.Mpsadbw, (ushort)O.MPSadBw, 0, 0,
        (ushort)M.Cmpps, (ushort)O.CmpPs, 0, 1, (ushort)M.Cmppd, (ushort)O.CmpPd, 0, 1, (ushort)M.Cmpss, (ushort)O.CmpSs, 0, 1,
        (ushort)M.Roundss, (ushort)O.RoundSs, 0, 1, (ushort)M.Roundsd, (ushort)O.RoundSd, 0, 1,
    ];

    public static ReadOnlySpan<ushort> DotProduct =>
    [
        (ushort)M.Dpps, (ushort)O.DpPs, 0, 1, (ushort)M.Dppd, (ushort)O.DpPd, 0, 1,
    ];

    public static ReadOnlySpan<ushort> AesBinaryImm =>
    [
        (ushort)M.Pclmulqdq, (ushort)O.PClMulQdq, 0, 0,
    ];

    public static ReadOnlySpan<ushort> Unary =>
    [
        (ushort)M.Pabsb, (ushort)O.PAbsB, (ushort)O.PAbsB, 0, (ushort)M.Pabsw, (ushort)O.PAbsW, (ushort)O.PAbsW, 0,
        (ushort)M.Pabsd, (ushort)O.PAbsD, (ushort)O.PAbsD, 0, (ushort)M.Phminposuw, (ushort)O.PHMinPosUw, 0, 0,
        (ushort)M.Movsldup, (ushort)O.MovSlDup, 0, 0, (ushort)M.Movshdup, (ushort)O.MovShDup, 0, 0,
        (ushort)M.Movddup, (ushort)O.MovDDup, 0, 0, (ushort)M.Pmovsxbw, (ushort)O.PMovSxBw, 0, 0,
        (ushort)M.Pmovsxbd, (ushort)O.PMovSxBd, 0, 0, (ushort)M.Pmovsxbq, (ushort)O.PMovSxBq, 0, 0,
        (ushort)M.Pmovsxwd, (ushort)O.PMovSxWd, 0, 0, (ushort)M.Pmovsxwq, (ushort)O.PMovSxWq, 0, 0,
        (ushort)M.Pmovsxdq, (ushort)O.PMovSxDq, 0, 0, (ushort)M.Pmovzxbw, (ushort)O.PMovZxBw, 0, 0,
        (ushort)M.Pmovzxbd, (ushort)O.PMovZxBd, 0, 0, (ushort)M.Pmovzxbq, (ushort)O.PMovZxBq, 0, 0,
        (ushort)M.Pmovzxwd, (ushort)O.PMovZxWd, 0, 0, (ushort)M.Pmovzxwq, (ushort)O.PMovZxWq, 0, 0,
        (ushort)M.Pmovzxdq, (ushort)O.PMovZxDq, 0, 0, (ushort)M.Sqrtps, (ushort)O.SqrtPs, 0, 1, (ushort)M.Sqrtpd, (ushort)O.SqrtPd, 0, 1,
        (ushort)M.Rcpps, (ushort)O.RcpPs, 0, 0, (ushort)M.Rsqrtps, (ushort)O.RsqrtPs, 0, 0, (ushort)M.Cvtdq2ps, (ushort)O.CvtDq2Ps, 0, 1,
        (ushort)M.Cvtps2dq, (ushort)O.CvtPs2Dq, 0, 1, (ushort)M.Cvttps2dq, (ushort)O.CvttPs2Dq, 0, 1,
        (ushort)M.Cvtpd2dq, (ushort)O.CvtPd2Dq, 0, 1, (ushort)M.Cvttpd2dq, (ushort)O.CvttPd2Dq, 0, 1,
        (ushort)M.Cvtps2pd, (ushort)O.CvtPs2Pd, 0, 1, (ushort)M.Cvtpd2ps, (ushort)O.CvtPd2Ps, 0, 1,
        (ushort)M.Cvtdq2pd, (ushort)O.CvtDq2Pd, 0, 0,
    ];

    public static ReadOnlySpan<ushort> AesUnary =>
    [
        (ushort)M.Aesimc, (ushort)O.AesImc, 0, 0,
    ];

    public static ReadOnlySpan<ushort> UnaryImm =>
    [
        (ushort)M.Pshufd, (ushort)O.PShufD, 0, 0, (ushort)M.Pshuflw, (ushort)O.PShufLw, 0, 0, (ushort)M.Pshufhw, (ushort)O.PShufHw, 0, 0,
        (ushort)M.Pshufw, 0, (ushort)O.PShufLw, 0, (ushort)M.Roundps, (ushort)O.RoundPs, 0, 1, (ushort)M.Roundpd, (ushort)O.RoundPd, 0, 1,
    ];

    public static ReadOnlySpan<ushort> AesUnaryImm =>
    [
        (ushort)M.Aeskeygenassist, (ushort)O.AesKeyGenAssist, 0, 0,
    ];

    public static ReadOnlySpan<ushort> Shift =>
    [
        (ushort)M.Psllw, (ushort)O.PSllW, (ushort)O.PSllW, 0, (ushort)M.Pslld, (ushort)O.PSllD, (ushort)O.PSllD, 0,
        (ushort)M.Psllq, (ushort)O.PSllQ, (ushort)O.PSllQ, 0, (ushort)M.Psrlw, (ushort)O.PSrlW, (ushort)O.PSrlW, 0,
        (ushort)M.Psrld, (ushort)O.PSrlD, (ushort)O.PSrlD, 0, (ushort)M.Psrlq, (ushort)O.PSrlQ, (ushort)O.PSrlQ, 0,
        (ushort)M.Psraw, (ushort)O.PSraW, (ushort)O.PSraW, 0, (ushort)M.Psrad, (ushort)O.PSraD, (ushort)O.PSraD, 0,
    ];

    public static ReadOnlySpan<ushort> ByteShift =>
    [
        (ushort)M.Pslldq, (ushort)O.PSllDq, 0, 0, (ushort)M.Psrldq, (ushort)O.PSrlDq, 0, 0,
    ];

    public static ReadOnlySpan<ushort> Mask =>
    [
        (ushort)M.Movmskps, (ushort)O.MovMskPs, 0, 0, (ushort)M.Movmskpd, (ushort)O.MovMskPd, 0, 0,
        (ushort)M.Pmovmskb, (ushort)O.PMovMskB, (ushort)O.PMovMskBMmx, 0,
    ];

    public static ReadOnlySpan<ushort> Extract =>
    [
        (ushort)M.Pextrb, (ushort)O.PExtrB, 0, 0, (ushort)M.Pextrw, (ushort)O.PExtrW, (ushort)O.PExtrW, 0,
        (ushort)M.Pextrd, (ushort)O.PExtrD, 0, 0, (ushort)M.Pextrq, (ushort)O.PExtrQ, 0, 0, (ushort)M.Extractps, (ushort)O.PExtrD, 0, 0,
    ];

    public static ReadOnlySpan<ushort> Insert =>
    [
        (ushort)M.Pinsrb, (ushort)O.PInsrB, 0, 0, (ushort)M.Pinsrw, (ushort)O.PInsrW, (ushort)O.PInsrW, 0,
        (ushort)M.Pinsrd, (ushort)O.PInsrD, 0, 0, (ushort)M.Pinsrq, (ushort)O.PInsrQ, 0, 0,
    ];

    public static ReadOnlySpan<ushort> BlendVariable =>
    [
        (ushort)M.Pblendvb, (ushort)O.AndSignB, 0, 0, (ushort)M.Blendvps, (ushort)O.AndSignD, 0, 0,
        (ushort)M.Blendvpd, (ushort)O.AndSignQ, 0, 0,
    ];

    public static ReadOnlySpan<ushort> CompareFlags =>
    [
        (ushort)M.Comiss, (ushort)O.ComiSs, 0, 1, (ushort)M.Comisd, (ushort)O.ComiSd, 0, 1, (ushort)M.Ucomiss, (ushort)O.UcomiSs, 0, 1,
        (ushort)M.Ucomisd, (ushort)O.UcomiSd, 0, 1, (ushort)M.Ptest, (ushort)O.PTest, 0, 0,
    ];

    public static ReadOnlySpan<ushort> FromInteger =>
    [
        (ushort)M.Cvtsi2ss, (ushort)O.CvtSi2Ss32, 0, 1, (ushort)M.Cvtsi2sd, (ushort)O.CvtSi2Sd32, 0, 1,
    ];

    public static ReadOnlySpan<ushort> ToInteger =>
    [
        (ushort)M.Cvtss2si, (ushort)O.CvtSs2Si32, 0, 1, (ushort)M.Cvtsd2si, (ushort)O.CvtSd2Si32, 0, 1,
        (ushort)M.Cvttss2si, (ushort)O.CvttSs2Si32, 0, 1, (ushort)M.Cvttsd2si, (ushort)O.CvttSd2Si32, 0, 1,
    ];

    public static ReadOnlySpan<ushort> ToMmx =>
    [
        (ushort)M.Cvtps2pi, 0, (ushort)O.CvtPs2Pi, 1, (ushort)M.Cvttps2pi, 0, (ushort)O.CvttPs2Pi, 1,
        (ushort)M.Cvtpd2pi, 0, (ushort)O.CvtPd2Dq, 1, (ushort)M.Cvttpd2pi, 0, (ushort)O.CvttPd2Dq, 1,
    ];

    public static ReadOnlySpan<ushort> FromMmx =>
    [
        (ushort)M.Cvtpi2ps, (ushort)O.CvtPi2Ps, 0, 1, (ushort)M.Cvtpi2pd, (ushort)O.CvtDq2Pd, 0, 0,
    ];

    /// <summary>What is known of a mnemonic; all zero when it is not in the table.</summary>
    public static ref readonly Entry Of(Mnemonic mnemonic) => ref Entries[(int)mnemonic];

    /// <summary>Enters the rows of a shape, lifted by <paramref name="method"/>.</summary>
    public static unsafe void Fill(delegate*<LiftContext, void>[] table, ReadOnlySpan<ushort> rows, delegate*<LiftContext, void> method)
    {
        for (var i = 0; i < rows.Length; i += Columns)
        {
            table[rows[i]] = method;
            Entries[rows[i]] = new Entry((VecOp)rows[i + 1], (VecOp)rows[i + 2], rows[i + 3] != 0);
        }
    }

    /// <summary>A row.</summary>
    /// <param name="Op">Operation of the XMM form.</param>
    /// <param name="MmxOp">Operation of the MMX form.</param>
    /// <param name="Raises">The instruction can raise a SIMD floating-point exception.</param>
    internal readonly record struct Entry(VecOp Op, VecOp MmxOp, bool Raises);
}
