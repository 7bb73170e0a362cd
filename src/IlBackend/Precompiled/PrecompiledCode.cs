using System.IO.Hashing;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// An assembly of regions that was compiled in advance, with its image. It serves all address spaces of the host process, and stays loaded: a
/// collectible load context would ignore the code that was compiled in advance. Thread-safe.
/// </summary>
public sealed class PrecompiledCode
{
    // The class of an assembly with its regions, and the method that makes ready what they call; assemblies without it call nothing.
    internal const string ClassName = "Regions", PreparationName = "Prepare";

    private readonly Lock _gate = new();
    private readonly string _assembly;
    private readonly nint[] _addresses;
    private ModuleHandle _module;
    private bool _isLoaded, _isBroken;

    private PrecompiledCode(PrecompiledImageView image, string assembly)
    {
        Image = image;
        _assembly = assembly;
        _addresses = new nint[image.RegionCount];
    }

    /// <summary>What is in it.</summary>
    public PrecompiledImageView Image { get; }

    /// <summary>Path of the assembly.</summary>
    public string AssemblyPath => _assembly;

    /// <summary>The first error in one line, when the runtime has refused something of it; null otherwise.</summary>
    public string? Failure { get; private set; }

    /// <summary>Opens an image and makes sure that its assembly is the one that it was written for. The assembly is loaded when it is first needed.</summary>
    /// <param name="path">The image file; the assembly is in the same directory.</param>
    /// <param name="reason">Why it cannot be used, in one line without the path.</param>
    public static PrecompiledCode? Open(string path, out string? reason)
    {
        if (PrecompiledImageView.Open(path, out reason) is not { } image)
            return null;
        var assembly = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, image.Assembly);
        try
        {
            if (HashOf(assembly) == image.AssemblyHash)
                return new PrecompiledCode(image, assembly);
            reason = "its assembly is another one, or was damaged";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = e.Message.ReplaceLineEndings(" ");
        }

        return null;
    }

    /// <summary>XxHash128 of a file.</summary>
    public static UInt128 HashOf(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        var hash = new XxHash128();
        hash.Append(file);
        return hash.GetCurrentHashAsUInt128();
    }

    /// <summary>Loads the assembly, if that has not been done: what the first use would wait for.</summary>
    /// <returns>False when the runtime refuses it.</returns>
    public bool Load()
    {
        lock (_gate)
        {
            if (_isLoaded || _isBroken)
                return _isLoaded;
            try
            {
                var context = new AssemblyLoadContext(Path.GetFileNameWithoutExtension(_assembly));
                var assembly = context.LoadFromAssemblyPath(_assembly);
                _module = assembly.ManifestModule.ModuleHandle;
                assembly.GetType(ClassName)?.GetMethod(PreparationName)?.Invoke(null, null);
                _isLoaded = true;
            }
            catch (Exception e) when (e is IOException or BadImageFormatException or UnauthorizedAccessException or TargetInvocationException)
            {
                Fail(e);
                _isBroken = true;
            }

            return _isLoaded;
        }
    }

    /// <summary>Host address of a region's code; 0 when the runtime refuses it.</summary>
    /// <param name="region">Index of the region in the image.</param>
    internal nint AddressOf(int region)
    {
        if (Volatile.Read(ref _addresses[region]) is var known and not 0)
            return known;
        if (!Load())
            return 0;
        lock (_gate)
        {
            try
            {
                var method = _module.ResolveMethodHandle(Image.Region(region).Method);
                RuntimeHelpers.PrepareMethod(method);
                var address = method.GetFunctionPointer();
                Volatile.Write(ref _addresses[region], address);
                return address;
            }
            catch (Exception e) when (e is ArgumentException or BadImageFormatException or InvalidProgramException or TypeLoadException or MissingMemberException
                or MethodAccessException or NotSupportedException or IOException)
            {
                Fail(e);
                return 0;
            }
        }
    }

    private void Fail(Exception e)
    {
        e = e is TargetInvocationException { InnerException: { } inner } ? inner : e;
        Failure ??= $"{Path.GetFileName(_assembly)}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}";
    }
}
