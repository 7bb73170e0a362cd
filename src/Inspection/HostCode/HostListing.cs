using System.Reflection;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Inspection.Text;
using Iced.Intel;

namespace DynaTrans.Inspection.HostCode;

/// <summary>An instruction of host code.</summary>
/// <param name="Offset">Offset from the start of the method.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Rip">The guest instruction it belongs to; null when it belongs to none, or that is not known.</param>
/// <param name="OutOfLine">It is on a slow path or exit.</param>
/// <param name="Text">Intel syntax; targets inside the method are offsets ("+0x1c").</param>
public sealed record HostInstruction(int Offset, int Length, ulong? Rip, bool OutOfLine, string Text);

/// <summary>Disassembles what RyuJIT made, and says which guest instruction each host instruction came from. x86-64 hosts only.</summary>
internal static unsafe class HostListing
{
    // IL offsets with a meaning of their own in the runtime's maps (clr-abi: ICorDebugInfo::MappingTypes).
    private const int NoPlace = -1;
    private const int Prologue = -2;
    private const int Epilogue = -3;

    /// <summary>The listing of a method.</summary>
    /// <param name="code">The method that executes.</param>
    /// <param name="twin">The same IL compiled as an ordinary method, with a map; or null.</param>
    /// <param name="places">Where in the IL the guest instructions begin.</param>
    /// <param name="names">Names of addresses outside.</param>
    /// <param name="aligned">False when it could not be said where the instructions came from.</param>
    public static IReadOnlyList<HostInstruction> Make(
        JittedMethod code, JittedMethod? twin, IReadOnlyList<IlPlace> places, IReadOnlyDictionary<ulong, string> names, out bool aligned)
    {
        aligned = false;
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return [];
        var instructions = Decode(code);
        var offsets = twin is { Map.Count: > 0 } ? OffsetsInTwin(instructions, Decode(twin)) : null;
        aligned = offsets != null;
        var formatter = new GuestFormatter(new Resolver(code, names));
        var stateRegister = StateRegister(instructions);
        var listing = new List<HostInstruction>(instructions.Count);
        for (var i = 0; i < instructions.Count; i++)
        {
            var place = offsets != null ? PlaceAt(twin!, offsets[i], places) : default;
            var offset = (int)(instructions[i].IP - code.Address);
            var text = formatter.Format(instructions[i]) + Comment(instructions[i], stateRegister, names);
            listing.Add(new HostInstruction(offset, instructions[i].Length, place.Rip, place.OutOfLine, text));
        }

        return listing;
    }

    /// <summary>Adds the addresses by which host code calls a method: its entry point, and the cell that the jump there goes through.</summary>
    public static void AddNames(IDictionary<ulong, string> names, MethodInfo method)
    {
        var name = $"{method.DeclaringType!.Name}.{method.Name}";
        var entry = (byte*)method.MethodHandle.GetFunctionPointer();
        names[(ulong)entry] = name;
        var isJumpThroughCell = RuntimeInformation.ProcessArchitecture == Architecture.X64 && entry[0] == 0xFF && entry[1] == 0x25;
        if (isJumpThroughCell)
            names[(ulong)(entry + 6 + *(int*)(entry + 2))] = name;
    }

    /// <summary>Size of the code at an address when nobody says: up to the last return or jump that no branch leads beyond.</summary>
    public static int Measure(ulong address)
    {
        const int limit = 1 << 20;
        var decoder = Decoder.Create(64, new PointerReader((byte*)address, limit));
        decoder.IP = address;
        var furthest = address;
        while (decoder.IP - address < limit - 16)
        {
            decoder.Decode(out var instruction);
            var target = instruction.NearBranchTarget;
            if (target > furthest && target - address < limit && instruction.FlowControl is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch)
                furthest = target;
            var ends = instruction.FlowControl is FlowControl.Return or FlowControl.UnconditionalBranch or FlowControl.IndirectBranch;
            if (ends && instruction.NextIP > furthest)
                break;
        }

        return (int)(decoder.IP - address);
    }

    // The state pointer arrives in RDI; the prologue copies it to a register that calls preserve, where it stays.
    private static Register StateRegister(List<Instruction> instructions)
    {
        foreach (var instruction in instructions.TakeWhile(i => i.FlowControl == FlowControl.Next))
            if (instruction is { Mnemonic: Mnemonic.Mov, Op0Kind: OpKind.Register, Op1Kind: OpKind.Register, Op1Register: Register.RDI })
                return instruction.Op0Register;
        return Register.RDI;
    }

    // What of the guest's state a memory operand names, or which method a call through a runtime cell calls.
    private static string Comment(in Instruction instruction, Register stateRegister, IReadOnlyDictionary<ulong, string> names)
    {
        if (instruction.Mnemonic == Mnemonic.Call && instruction.IsIPRelativeMemoryOperand)
            return names.TryGetValue(instruction.IPRelativeMemoryAddress, out var method) ? $" ; {method}" : "";
        if (instruction.MemoryBase != stateRegister || instruction.MemoryIndex != Register.None)
            return "";
        return StateNames.At((int)instruction.MemoryDisplacement64) is { } field ? $" ; {field}" : "";
    }

    private static List<Instruction> Decode(JittedMethod code)
    {
        var decoder = Decoder.Create(64, new PointerReader((byte*)code.Address, code.Size));
        decoder.IP = code.Address;
        var list = new List<Instruction>();
        while (decoder.IP < code.Address + (ulong)code.Size)
        {
            decoder.Decode(out var instruction);
            list.Add(instruction);
        }

        return list;
    }

    // The offset in the twin of each instruction; null when the two differ. Addresses in them may differ, and so the lengths.
    private static List<int>? OffsetsInTwin(List<Instruction> instructions, List<Instruction> twin)
    {
        if (instructions.Count != twin.Count)
            return null;
        var offsets = new List<int>(twin.Count);
        for (var i = 0; i < twin.Count; i++)
        {
            if (instructions[i].Mnemonic != twin[i].Mnemonic)
                return null;
            offsets.Add((int)(twin[i].IP - twin[0].IP));
        }

        return offsets;
    }

    private static IlPlace PlaceAt(JittedMethod twin, int native, IReadOnlyList<IlPlace> places)
    {
        var il = Prologue;
        foreach (var entry in twin.Map)
        {
            if (entry.Native > native)
                break;
            if (entry.Il != NoPlace)
                il = entry.Il;
        }

        if (il == Epilogue)
            return new IlPlace(0, null, OutOfLine: true);

        IlPlace found = default;
        foreach (var place in places)
        {
            if (il < 0 || place.Offset > il)
                break;
            found = place;
        }

        return found;
    }

    private sealed class PointerReader(byte* start, int length) : CodeReader
    {
        private int _at;

        public override int ReadByte() => _at < length ? start[_at++] : -1;
    }

    private sealed class Resolver(JittedMethod code, IReadOnlyDictionary<ulong, string> names) : ISymbolResolver
    {
        public bool TryGetSymbol(
            in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize, out SymbolResult symbol)
        {
            symbol = default;
            if (instruction.IsJccShortOrNear || instruction.IsJmpShortOrNear)
            {
                if (address - code.Address >= (ulong)code.Size)
                    return false;
                symbol = new SymbolResult(address, $"+0x{address - code.Address:x}");
                return true;
            }

            if (instruction.IsIPRelativeMemoryOperand || !names.TryGetValue(address, out var name))
                return false;
            symbol = new SymbolResult(address, name);
            return true;
        }
    }
}
