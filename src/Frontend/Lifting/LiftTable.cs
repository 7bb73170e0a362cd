using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Maps a mnemonic to the method that lifts it. A mnemonic without a method is not implemented and raises #UD.</summary>
public static unsafe class LiftTable
{
    // Above the last mnemonic of the pinned Iced version; an enumeration by reflection would cost a millisecond at every start.
    private const int MnemonicLimit = 2048;

    private static readonly delegate*<LiftContext, void>[] Methods = Build();

    /// <summary>The method for a mnemonic, or null.</summary>
    /// <param name="mnemonic">The mnemonic.</param>
    /// <param name="isSystem">In code of a system (<see cref="Decoding.GuestMode.System"/>), where some have other methods.</param>
    public static delegate*<LiftContext, void> Method(Mnemonic mnemonic, bool isSystem = false) =>
        isSystem ? OfSystems.Methods[(int)mnemonic] : Methods[(int)mnemonic];

    private static delegate*<LiftContext, void>[] Build()
    {
        var table = new delegate*<LiftContext, void>[MnemonicLimit];
        Arithmetic.Register(table);
        Moves.Register(table);
        Shifts.Register(table);
        Branches.Register(table);
        Multiplication.Register(table);
        DoubleShifts.Register(table);
        BitTests.Register(table);
        BitManipulation.Register(table);
        Exchanges.Register(table);
        FlagInstructions.Register(table);
        StackFrames.Register(table);
        Decimal.Register(table);
        Segments.Register(table);
        FarTransfers.Register(table);
        SystemInstructions.Register(table);
        PrivilegedInstructions.Register(table);
        Strings.Register(table);

        // After the string instructions, whose movsd and cmpsd share mnemonics with these.
        SseOperations.Register(table);
        SseMoves.Register(table);
        SseState.Register(table);
        X87.Register(table);
        return table;
    }

    // Made when the first system is.
    private static class OfSystems
    {
        public static readonly delegate*<LiftContext, void>[] Methods = Build();

        private static delegate*<LiftContext, void>[] Build()
        {
            var table = LiftTable.Build();
            ControlRegisters.Register(table);
            DescriptorTables.Register(table);
            ModelRegisters.Register(table);
            SystemCalls.Register(table);
            InterruptFlag.Register(table);
            PortInstructions.Register(table);
            return table;
        }
    }
}
