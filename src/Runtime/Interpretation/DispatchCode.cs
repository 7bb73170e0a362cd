namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter's dispatch codes: an IR opcode specialised by size and form where that is worth a case of its own. Suffixes B W D Q are
/// 1, 2, 4 and 8 bytes and always stand together in this order, so that base + log2(size) selects one; an F before it records flags.
/// Codes that begin with Cmp or Test are a Sub or And that sets flags, followed by a conditional jump, executed as one.
/// DispatchCodeTests hold the order.
/// </summary>
internal enum DispatchCode
{
    Nop, MovB, MovW, MovD, MovQ, SignExtend, InsertB, InsertW, InsertHigh, ExtractHigh,
    AddB, AddW, AddD, AddQ, AddFB, AddFW, AddFD, AddFQ,
    SubB, SubW, SubD, SubQ, SubFB, SubFW, SubFD, SubFQ,
    AndB, AndW, AndD, AndQ, AndFB, AndFW, AndFD, AndFQ,
    OrB, OrW, OrD, OrQ, OrFB, OrFW, OrFD, OrFQ,
    XorB, XorW, XorD, XorQ, XorFB, XorFW, XorFD, XorFQ,
    IncB, IncW, IncD, IncQ, IncFB, IncFW, IncFD, IncFQ,
    DecB, DecW, DecD, DecQ, DecFB, DecFW, DecFD, DecFQ,
    ShlB, ShlW, ShlD, ShlQ, ShlFB, ShlFW, ShlFD, ShlFQ,
    ShrB, ShrW, ShrD, ShrQ, ShrFB, ShrFW, ShrFD, ShrFQ,
    SarB, SarW, SarD, SarQ, SarFB, SarFW, SarFD, SarFQ,
    AdcF, SbbF, NegF,
    Other, Select, Compare, GetCondition, GetFlags, SetFlags, SetFlagsIf, RotateFlags, SetCarry, ProductFlags,
    LeaFlat64, Lea, LinearAddress, CheckLimit,
    LoadFlat32B, LoadFlat32W, LoadFlat32D, LoadFlat32Q,
    LoadFlat64B, LoadFlat64W, LoadFlat64D, LoadFlat64Q,
    LoadB, LoadW, LoadD, LoadQ, LoadSigned,
    StoreFlat32B, StoreFlat32W, StoreFlat32D, StoreFlat32Q,
    StoreFlat64B, StoreFlat64W, StoreFlat64D, StoreFlat64Q,
    StoreB, StoreW, StoreD, StoreQ,
    VLoadD, VLoadQ, VLoadX, VStoreD, VStoreQ, VStoreX, VMov, VMovMmx,
    VBinary, VBinaryImm, VUnary, VUnaryImm, VToInt, VToIntImm, VBinaryToInt, VFromInt, VFromIntImm,
    Call, Jump, JumpCondition, JumpIf, JumpIndirect, Exit, Raise,
    CmpE_B, CmpE_W, CmpE_D, CmpE_Q, CmpNe_B, CmpNe_W, CmpNe_D, CmpNe_Q,
    CmpB_B, CmpB_W, CmpB_D, CmpB_Q, CmpAe_B, CmpAe_W, CmpAe_D, CmpAe_Q,
    CmpBe_B, CmpBe_W, CmpBe_D, CmpBe_Q, CmpA_B, CmpA_W, CmpA_D, CmpA_Q,
    CmpL_B, CmpL_W, CmpL_D, CmpL_Q, CmpGe_B, CmpGe_W, CmpGe_D, CmpGe_Q,
    CmpLe_B, CmpLe_W, CmpLe_D, CmpLe_Q, CmpG_B, CmpG_W, CmpG_D, CmpG_Q,
    TestE_B, TestE_W, TestE_D, TestE_Q, TestNe_B, TestNe_W, TestNe_D, TestNe_Q,
    TestS_B, TestS_W, TestS_D, TestS_Q, TestNs_B, TestNs_W, TestNs_D, TestNs_Q,
}
