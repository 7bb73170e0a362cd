using Iced.Intel;

namespace DynaTrans.Frontend.Decoding;

/// <summary>Assembly text of guest and host instructions: Intel syntax, as every listing of the project shows it. Not thread-safe.</summary>
public sealed class GuestFormatter
{
    private readonly StringOutput _output = new();
    private readonly IntelFormatter _formatter;

    /// <summary>Makes a formatter.</summary>
    /// <param name="symbols">Names addresses, or null.</param>
    public GuestFormatter(ISymbolResolver? symbols = null) => _formatter = new IntelFormatter(
        new FormatterOptions
        {
            HexPrefix = "0x",
            HexSuffix = "",
            UppercaseHex = false,
            SpaceAfterOperandSeparator = true,
            BranchLeadingZeros = false,
            ShowBranchSize = false,
        },
        symbols);

    /// <summary>The text of an instruction.</summary>
    public string Format(in Instruction instruction)
    {
        _formatter.Format(instruction, _output);
        return _output.ToStringAndReset();
    }
}
