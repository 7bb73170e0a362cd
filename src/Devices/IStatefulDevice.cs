namespace DynaTrans.Devices;

/// <summary>What has state of its own that a snapshot keeps.</summary>
public interface IStatefulDevice
{
    /// <summary>Its name in a snapshot: unique in the machine, the same in each run.</summary>
    string Name { get; }

    /// <summary>The version of the records that <see cref="Save"/> writes, from 1. It grows when their content changes.</summary>
    int Version { get; }

    /// <summary>Writes the state.</summary>
    void Save(StateWriter w);

    /// <summary>
    /// Reads what <see cref="Save"/> wrote. A value that cannot be must not harm the host: it is brought into range or refused.
    /// </summary>
    /// <param name="r">Ends where the record ends.</param>
    /// <param name="version">1 to <see cref="Version"/>.</param>
    /// <exception cref="StateException">The record is too short or holds what cannot be; the device is then in no particular state.</exception>
    void Load(StateReader r, int version);
}
