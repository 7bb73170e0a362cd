using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Tests.Helpers;

namespace DynaTrans.Runtime.Tests.Execution;

/// <summary>Accesses at and across the ends of the canonical halves. The values are those of a CPU.</summary>
public sealed unsafe class CanonicalAddressTests
{
    private const ulong Last = 0x7FFFFFFFFFFF, NotCanonical = 0x800000000000, Kernel = 0xFFFF800000000000;

    // RAX, RSI, RDI are the address.
    [Theory]
    [InlineData("8A00", Last, ExceptionVector.PageFault)]
    [InlineData("8A00", NotCanonical, ExceptionVector.GeneralProtection)]
    [InlineData("8A00", Kernel, ExceptionVector.PageFault)]
    [InlineData("668B00", Last, ExceptionVector.GeneralProtection)]
    [InlineData("668B00", Last - 1, ExceptionVector.PageFault)]
    [InlineData("488B00", Last - 2, ExceptionVector.GeneralProtection)]
    [InlineData("488900", Last - 2, ExceptionVector.GeneralProtection)]
    [InlineData("48FF00", Last - 2, ExceptionVector.GeneralProtection)]
    [InlineData("F048FF00", Last - 2, ExceptionVector.GeneralProtection)]
    [InlineData("488700", Last - 2, ExceptionVector.GeneralProtection)]
    [InlineData("0FC708", Last - 2, ExceptionVector.GeneralProtection)]
    [InlineData("0F1000", Last - 7, ExceptionVector.GeneralProtection)]
    [InlineData("DB28", Last - 5, ExceptionVector.GeneralProtection)]
    [InlineData("DB38", Last - 5, ExceptionVector.GeneralProtection)]
    [InlineData("D930", Last - 15, ExceptionVector.PageFault)]
    [InlineData("F348AB", Last - 6, ExceptionVector.GeneralProtection)]
    [InlineData("488B00", 0xFFFFFFFFFFFFFFFD, ExceptionVector.PageFault)]
    [InlineData("488B00", Kernel - 3, ExceptionVector.GeneralProtection)]
    [InlineData("FFE0", NotCanonical, ExceptionVector.GeneralProtection)]
    [InlineData("FFE0", Last, ExceptionVector.PageFault)]
    [InlineData("FFD0", NotCanonical, ExceptionVector.GeneralProtection)]
    [InlineData("0F28441000", 0x8000000000001001, ExceptionVector.GeneralProtection)]
    public void Data(string code, ulong address, int vector)
    {
        using var machine = new TestMachine(code + "CC", GuestMode.Linux64);
        machine[Slot.Rax] = machine[Slot.Rsi] = machine[Slot.Rdi] = address;
        machine[Slot.Rcx] = 2;
        machine.RunToException(vector);
        Assert.Equal(vector == ExceptionVector.PageFault && code == "FFE0" ? Last : TestMachine.Code, machine[Slot.Rip]);
    }

    // RSP and RBP are the address.
    [Theory]
    [InlineData("50", NotCanonical + 4, ExceptionVector.StackFault)]
    [InlineData("50", NotCanonical, ExceptionVector.PageFault)]
    [InlineData("50", NotCanonical + 8, ExceptionVector.StackFault)]
    [InlineData("50", Kernel + 4, ExceptionVector.StackFault)]
    [InlineData("58", Last - 3, ExceptionVector.StackFault)]
    [InlineData("C3", Last - 3, ExceptionVector.StackFault)]
    [InlineData("488B0424", Last - 2, ExceptionVector.StackFault)]
    [InlineData("488B4500", Last - 2, ExceptionVector.StackFault)]
    [InlineData("48014500", NotCanonical, ExceptionVector.StackFault)]
    [InlineData("C9", NotCanonical, ExceptionVector.StackFault)]
    [InlineData("0F280424", 0x8000000000001111, ExceptionVector.GeneralProtection)]
    [InlineData("0F280424", 0x8000000000001110, ExceptionVector.StackFault)]
    public void Stack(string code, ulong address, int vector)
    {
        using var machine = new TestMachine(code + "CC", GuestMode.Linux64);
        machine[Slot.Rsp] = machine[Slot.Rbp] = address;
        machine.RunToException(vector);
    }
}
