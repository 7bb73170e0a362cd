using System.Buffers.Binary;
using System.Reflection;

namespace DynaTrans.Runtime.Host;

/// <summary>Finds in the IL of a method what it calls and whose static fields it uses (ECMA-335, III).</summary>
internal static class MethodCalls
{
    private const byte Call = 0x28, Switch = 0x45, CallVirtual = 0x6F, NewObject = 0x73, LoadStatic = 0x7E, StoreStatic = 0x80, TwoBytes = 0xFE;
    private const byte LoadFunction = 0x06, Constrained = 0x16;

    /// <summary>The methods called, constructed or taken the address of, and the types whose static fields are used.</summary>
    /// <param name="method">The method; one without IL uses nothing.</param>
    public static IEnumerable<MemberInfo> Of(MethodBase method)
    {
        if (method.GetMethodBody()?.GetILAsByteArray() is not { } il)
            yield break;
        var typeArguments = method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : null;
        var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        Type? receiver = null;

        // To resolve a token costs microseconds, and the interpreter's loop names the same few again and again.
        var seen = new HashSet<int>();
        for (var at = 0; at < il.Length;)
        {
            int opcode = il[at++];
            if (opcode == TwoBytes)
                opcode = (TwoBytes << 8) | il[at++];
            var token = at + 4 <= il.Length ? BinaryPrimitives.ReadInt32LittleEndian(il.AsSpan(at)) : 0;
            at += opcode == Switch ? 4 + (4 * token) : OperandBytes(opcode);
            switch (opcode)
            {
                case Call or CallVirtual or NewObject or (TwoBytes << 8 | LoadFunction):
                    if (receiver == null && !seen.Add(token))
                        break;
                    var called = method.Module.ResolveMethod(token, typeArguments, methodArguments)!;
                    yield return receiver != null ? Implementation(receiver, called) : called;
                    receiver = null;
                    break;
                case >= LoadStatic and <= StoreStatic:
                    if (seen.Add(token) && method.Module.ResolveField(token, typeArguments, methodArguments)?.DeclaringType is { } owner)
                        yield return owner;
                    break;
                case TwoBytes << 8 | Constrained:
                    receiver = method.Module.ResolveType(token, typeArguments, methodArguments);
                    break;
            }
        }
    }

    // What a call through a type parameter comes to.
    private static MethodBase Implementation(Type receiver, MethodBase called)
    {
        if (called.DeclaringType is not { IsInterface: true } contract || receiver.IsInterface || !contract.IsAssignableFrom(receiver))
            return called;
        var map = receiver.GetInterfaceMap(contract);
        var generic = called is MethodInfo { IsGenericMethod: true } method ? method : null;
        var index = Array.IndexOf(map.InterfaceMethods, generic?.GetGenericMethodDefinition() ?? called);
        if (index < 0)
            return called;
        return generic == null ? map.TargetMethods[index] : map.TargetMethods[index].MakeGenericMethod(generic.GetGenericArguments());
    }

    private static int OperandBytes(int opcode) => opcode switch
    {
        >= 0x0E and <= 0x13 or 0x1F or (>= 0x2B and <= 0x37) or 0xDE or 0xFE12 or 0xFE19 => 1,
        >= 0xFE09 and <= 0xFE0E => 2,
        0x20 or 0x22 or (>= 0x27 and <= 0x29) or (>= 0x38 and <= 0x44) or (>= 0x6F and <= 0x75) or 0x79 or (>= 0x7B and <= 0x81) => 4,
        0x8C or 0x8D or 0x8F or (>= 0xA3 and <= 0xA5) or 0xC2 or 0xC6 or 0xD0 or 0xDD or 0xFE06 or 0xFE07 or 0xFE15 or 0xFE16 or 0xFE1C => 4,
        0x21 or 0x23 => 8,
        _ => 0,
    };
}
