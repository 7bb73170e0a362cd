namespace DynaTrans.Pc.Tests.Systems;

/// <summary>
/// The programs of privileged instructions by interpreter and translator, on a CPU without a PC around it. <c>eng/system-programs</c> runs them as a user
/// would, and under other machines.
/// </summary>
public class SystemProgramTests
{
    private const ulong RamEnd = 16 << 20, MostInstructions = 50_000_000;

    public static TheoryData<string, SystemEngine> Programs
    {
        get
        {
            var data = new TheoryData<string, SystemEngine>();
            foreach (var name in SystemProgram.Names)
            {
                data.Add(name, SystemEngine.Interpreter);
                data.Add(name, SystemEngine.Warm);
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void PrintsWhatIsExpected(string name, SystemEngine engine)
    {
        Skip.IfNot(SystemProgram.CanAssemble, "nasm is not installed");
        using var system = new TestSystem(engine, RamEnd);
        system.LoadRom(SystemProgram.Assemble(name));
        var cause = system.Run(MostInstructions);
        var differences = SystemProgram.Compare(name, system.Output);
        Assert.True(differences.Count == 0, $"{name}, stopped for {cause}, {system.Shutdowns} shutdowns:\n{string.Join('\n', differences)}");
    }
}
