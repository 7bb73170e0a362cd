using System.Reflection;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Inspection.Text;

/// <summary>Names of what lies at an offset of <see cref="CpuState"/>, for listings.</summary>
internal static class StateNames
{
    private static readonly FieldInfo Execution = typeof(CpuState).GetField(nameof(CpuState.Execution))!;

    // The way from the state to a field: one step, or two for those of the execution part.
    private static readonly Dictionary<int, FieldInfo[]> Fields = FieldsOf<CpuState>().Where(field => field != Execution)
        .ToDictionary(field => OffsetIn<CpuState>(field), field => new[] { field })
        .Concat(FieldsOf<ExecutionState>().ToDictionary(
            field => CpuState.ExecutionOffset + OffsetIn<ExecutionState>(field), field => new[] { Execution, field }))
        .ToDictionary();

    /// <summary>The fields, one in the other, that lead to what lies beyond slots and vector file at an offset; none when nothing begins there.</summary>
    public static IReadOnlyList<FieldInfo> PathTo(int offset) => offset < CpuState.X87Offset ? [] : Fields.GetValueOrDefault(offset, []);

    /// <summary>The name, or null when nothing begins there.</summary>
    public static string? At(int offset)
    {
        if (offset < 0 || offset >= CpuState.SizeInBytes)
            return null;
        if (offset < Slot.Count * 8)
            return offset % 8 == 0 ? Slot.Name((ushort)(offset / 8)) : null;
        if (offset < CpuState.X87Offset)
        {
            var cell = offset - CpuState.VectorOffset;
            return cell % 16 == 0 ? VSlot.Name((ushort)(cell / 16)) : null;
        }

        return Fields.TryGetValue(offset, out var path) ? path[^1].Name : null;
    }

    private static FieldInfo[] FieldsOf<T>() => typeof(T).GetFields(BindingFlags.Instance | BindingFlags.Public);

    private static int OffsetIn<T>(FieldInfo field) => (int)Marshal.OffsetOf<T>(field.Name);
}
