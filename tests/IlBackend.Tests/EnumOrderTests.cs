using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Tests;

/// <summary>The orders of helpers, vector operations and exits that the back end computes with.</summary>
public sealed class EnumOrderTests
{
    // An operation's helpers are found from the first by the form, and the form of a helper by the distance.
    [Fact]
    public void ArithmeticHelpersOfTheX87AreATable()
    {
        string[] operations = ["Add", "Multiply", "Subtract", "SubtractReverse", "Divide", "DivideReverse"];
        string[] forms = ["Top", "Register", "Pop", "Single", "Double", "Word", "Int"];
        Assert.Equal(
            operations.SelectMany(operation => forms.Select(form => $"X87{operation}{form}")),
            Between(HelperId.X87AddTop, HelperId.X87DivideReverseInt).Select(id => id.ToString()));
    }

    [Fact]
    public void HelpersOfTheX87StandTogether()
    {
        Assert.Equal(
            Enum.GetValues<HelperId>().Where(id => id.ToString().StartsWith("X87", StringComparison.Ordinal)),
            Between(HelperId.X87AddTop, HelperId.X87Fxrstor));
        Assert.All(Between(HelperId.X87AddTop, HelperId.X87Fxrstor), id => Assert.True(X87Stack.IsX87(new IrOp { Op = IrOpcode.Call, Sub = (ushort)id })));
    }

    // What pushes, and what pops as it stores an integer.
    [Fact]
    public void LoadsAndStoresOfTheX87StandTogether()
    {
        Assert.Equal(
            [
                HelperId.X87FldSingle, HelperId.X87FldDouble, HelperId.X87FldExtended, HelperId.X87FildWord, HelperId.X87FildInt,
                HelperId.X87FildLong, HelperId.X87Fbld,
            ],
            Between(HelperId.X87FldSingle, HelperId.X87Fbld));
        Assert.Equal(
            [
                HelperId.X87FistpInt, HelperId.X87FistpLong, HelperId.X87FisttpWord, HelperId.X87FisttpInt,
                HelperId.X87FisttpLong,
            ],
            Between(HelperId.X87FistpInt, HelperId.X87FisttpLong));
    }

    // Their result is a constant when both operands are the same (FloatResults).
    [Fact]
    public void VectorDifferencesAndComparisonsStandTogether()
    {
        Assert.Equal(
            [
                VecOp.PSubB, VecOp.PSubW, VecOp.PSubD, VecOp.PSubQ,
            ],
            Between(VecOp.PSubB, VecOp.PSubQ));
        Assert.Equal(
            [
                VecOp.PCmpEqB, VecOp.PCmpGtB, VecOp.PCmpEqW, VecOp.PCmpGtW, VecOp.PCmpEqD, VecOp.PCmpGtD, VecOp.PCmpEqQ,
                VecOp.PCmpGtQ,
            ],
            Between(VecOp.PCmpEqB, VecOp.PCmpGtQ));
    }

    // By a count of more than 15 they ignore their operand (FloatResults).
    [Fact]
    public void VectorShiftsStandTogether() => Assert.Equal(
        [
            VecOp.PSllW, VecOp.PSllWImm, VecOp.PSllD, VecOp.PSllDImm, VecOp.PSllQ, VecOp.PSllQImm, VecOp.PSrlW, VecOp.PSrlWImm,
            VecOp.PSrlD, VecOp.PSrlDImm, VecOp.PSrlQ, VecOp.PSrlQImm, VecOp.PSraW, VecOp.PSraWImm, VecOp.PSraD, VecOp.PSraDImm,
            VecOp.PSllDq, VecOp.PSrlDq,
        ],
        Between(VecOp.PSllW, VecOp.PSrlDq));

    // The emitter makes the ways out from the first to the last.
    [Fact]
    public void WaysOutBeginWithReturnAndEndWithChain()
    {
        var type = typeof(Region).Assembly.GetTypes().Single(t => t.Name == "ExitKind");
        var names = Enum.GetNames(type);
        Assert.Equal(("Return", "Chain"), (names[0], names[^1]));
        Assert.Equal(Enumerable.Range(0, names.Length), Enum.GetValuesAsUnderlyingType(type).Cast<int>());
    }

    private static IEnumerable<T> Between<T>(T first, T last)
        where T : struct, Enum =>
        Enum.GetValues<T>().Where(member => member.CompareTo(first) >= 0 && member.CompareTo(last) <= 0);
}
