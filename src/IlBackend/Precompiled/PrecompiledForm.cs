using DynaTrans.IlBackend.Emission;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// What translated code has in it of the kind of address space that it was made for: code of one form cannot be used in an address space of
/// another. The same for all processes of a kind.
/// </summary>
/// <param name="WindowPages">Pages in the main window (<see cref="EmitOptions.WindowPages"/>).</param>
/// <param name="PermissionsOffset">Where the permission bytes are (<see cref="EmitOptions.PermissionsOffset"/>).</param>
/// <param name="Access">How the code finds guest memory in the host.</param>
/// <param name="IsPaged">Linear addresses are translated by a paging unit.</param>
public readonly record struct PrecompiledForm(ulong WindowPages, int PermissionsOffset, AccessForm Access, bool IsPaged)
{
    /// <summary>How its regions are emitted: nothing that belongs to one address space is a constant in them.</summary>
    public EmitOptions Options => new(
        WindowPages: WindowPages, PermissionsOffset: PermissionsOffset, IsEntered: true, Access: Access, Windows: 0, IsPaged: IsPaged);

    /// <summary>The form of code that is emitted with certain options.</summary>
    public static PrecompiledForm Of(in EmitOptions options) => new(options.WindowPages, options.PermissionsOffset, options.Access, options.IsPaged);
}
