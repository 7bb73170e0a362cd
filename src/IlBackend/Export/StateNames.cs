using System.Reflection;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Export;

/// <summary>Names of what lies at an offset of <see cref="CpuState"/>, for listings.</summary>
internal static class StateNames
{
    private static readonly Dictionary<int, FieldInfo> Fields = typeof(CpuState).GetFields(BindingFlags.Instance | BindingFlags.Public)
        .ToDictionary(field => (int)Marshal.OffsetOf<CpuState>(field.Name));

    /// <summary>The field (beyond slots and vector file) at an offset, or null.</summary>
    public static FieldInfo? FieldAt(int offset) => offset < CpuState.X87Offset ? null : Fields.GetValueOrDefault(offset);

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

        return Fields.GetValueOrDefault(offset)?.Name;
    }
}
