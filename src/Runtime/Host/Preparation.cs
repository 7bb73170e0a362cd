using System.Reflection;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace DynaTrans.Runtime.Host;

/// <summary>
/// Marks a method that guest code may lead to and that puts the host's own MXCSR in place (<see cref="HostMxcsr.Suspend"/>) before it
/// does anything: <see cref="Preparation"/> need not look into it.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class UnderHostMxcsrAttribute : Attribute;

/// <summary>
/// Has methods compiled before guest code runs by them, with everything they may call. RyuJIT computes in floating point: if it compiled a
/// method in the middle of guest code, under the guest's MXCSR, its flags would appear in the guest's. What is compiled ahead of time needs
/// little; the rest is compiled when a block that leads to it is lifted.
/// </summary>
public static class Preparation
{
    // Methods of the framework are followed so far: what lies deeper in it is precompiled, or is how errors are reported.
    private const int FrameworkDepth = 2;

    private static readonly Lock Gate = new();

    // Methods looked through, and whether they were compiled too.
    private static readonly Dictionary<MethodBase, bool> Done = [];
    private static readonly HashSet<Type> Initialised = [];
    private static readonly Dictionary<Module, bool> Modules = [];
    private static readonly bool IsBuildPrecompiled = FindWhetherPrecompiled();

    /// <summary>Prepares a method of a type. Not while guest code runs.</summary>
    public static void Prepare(RuntimeMethodHandle method, RuntimeTypeHandle owner) => Prepare(MethodBase.GetMethodFromHandle(method, owner)!);

    /// <summary>Prepares a method. Not while guest code runs.</summary>
    public static void Prepare(MethodBase method)
    {
        ArgumentNullException.ThrowIfNull(method);
        lock (Gate)
            Visit(method, 0, true);
    }

    // A method that its caller has taken in is only looked through.
    private static void Visit(MethodBase method, int depth, bool isCalled)
    {
        if (depth > FrameworkDepth || method.IsAbstract || (depth > 0 && !IsWorthFollowing(method)))
            return;
        if (Done.TryGetValue(method, out var wasCompiled) && (wasCompiled || !isCalled))
            return;
        Done[method] = isCalled;
        if (method.DeclaringType is { } owner)
            Initialise(owner);
        var isOurs = IsOurs(method);
        var compiled = JitInfo.GetCompiledMethodCount(currentThread: true);
        if (isCalled)
            Compile(method);
        if (isOurs && method.IsDefined(typeof(UnderHostMxcsrAttribute)))
            return;

        // Code compiled ahead of time has taken in what is marked for it, and instances of generic methods lie beside it or are part of it;
        // what the JIT has just made for the start calls everything.
        var isPrecompiled = isOurs && IsBuildPrecompiled && JitInfo.GetCompiledMethodCount(currentThread: true) == compiled;
        foreach (var member in MethodCalls.Of(method))
        {
            if (member is Type type)
                Initialise(type);
            else if (member is MethodBase called && !(isPrecompiled && called.IsGenericMethod && IsOurs(called)))
                Visit(called, IsOurs(called) ? 0 : depth + 1, !(isPrecompiled && IsInlined(called)));
        }
    }

    private static bool FindWhetherPrecompiled()
    {
        var compiled = JitInfo.GetCompiledMethodCount(currentThread: true);
        Compile(((Delegate)Probe).Method);
        return JitInfo.GetCompiledMethodCount(currentThread: true) == compiled;
    }

    private static void Probe()
    {
    }

    private static void Compile(MethodBase method)
    {
        if (method.ContainsGenericParameters)
            return;
        Type[] ofType = method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : [];
        Type[] ofMethod = method.IsGenericMethod ? method.GetGenericArguments() : [];
        if (ofType.Length + ofMethod.Length == 0)
            RuntimeHelpers.PrepareMethod(method.MethodHandle);
        else
            RuntimeHelpers.PrepareMethod(method.MethodHandle, Array.ConvertAll<Type, RuntimeTypeHandle>([.. ofType, .. ofMethod], t => t.TypeHandle));
    }

    // A static constructor may itself compute with floating point, as that of Stopwatch does.
    private static void Initialise(Type type)
    {
        if (!type.ContainsGenericParameters && Initialised.Add(type))
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
    }

    private static bool IsOurs(MemberInfo member)
    {
        if (!Modules.TryGetValue(member.Module, out var isOurs))
            Modules[member.Module] = isOurs = member.Module.Name.StartsWith("DynaTrans.", StringComparison.Ordinal);
        return isOurs;
    }

    private static bool IsInlined(MethodBase method) => (method.MethodImplementationFlags & MethodImplAttributes.AggressiveInlining) != 0;

    // Of the framework: not what every compiler replaces by an instruction (but a call remains where its constant operand is a variable),
    // and not what reports errors.
    private static bool IsWorthFollowing(MethodBase method)
    {
        if (method.Name.StartsWith("Throw", StringComparison.Ordinal) || typeof(Exception).IsAssignableFrom(method.DeclaringType))
            return false;
        var type = method.DeclaringType!;
        if (type.Namespace?.StartsWith("System.Runtime.Intrinsics", StringComparison.Ordinal) == true)
            return method.GetParameters() is [.., var last] && last.ParameterType == typeof(byte);
        return type.Namespace is not "System.Runtime.CompilerServices" && type.FullName is not ("System.SR" or "System.String" or "System.Enum"
            or "System.Numerics.BitOperations");
    }
}
