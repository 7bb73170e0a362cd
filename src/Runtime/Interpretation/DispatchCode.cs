namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// Dispatch codes of IR ops: an IR opcode specialised by size and form where that is worth a case of its own. Suffixes B W D Q are
/// 1, 2, 4 and 8 bytes and always stand together in this order, so that base + log2(size) selects one; an F before it records flags.
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
}
