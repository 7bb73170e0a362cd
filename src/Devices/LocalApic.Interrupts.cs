using System.Numerics;

namespace DynaTrans.Devices;

/// <summary>How interrupts are accepted, given to the processor and ended (11.8), and interprocessor interrupts (11.6).</summary>
public sealed partial class LocalApic
{
    private const byte FirstLegalVector = 16;

    // A bit for each vector, in the order of the registers.
    private readonly uint[] _inService = new uint[8];
    private readonly uint[] _triggerMode = new uint[8];
    private readonly uint[] _requests = new uint[8];

    private bool _isNmiRequested;
    private bool _isExtIntRequested;

    // The vector that the processor would take now; -1: none. Kept, for it is asked for much more often than it changes.
    private int _deliverable = -1;

    /// <inheritdoc/>
    public bool IsInterruptRequested => _deliverable >= 0 || _isExtIntRequested || (Lint0.Level && PassesPic);

    /// <inheritdoc/>
    public bool IsNmiRequested => _isNmiRequested;

    /// <inheritdoc/>
    public byte TaskPriority
    {
        get => (byte)(_taskPriority >> 4);
        set
        {
            _taskPriority = (byte)(value << 4);
            Update();
        }
    }

    // INTR goes straight to the processor while the APIC is disabled, and through LINT0 in virtual wire mode.
    private bool PassesPic => !IsEnabled || (_lvt[LvtLint0] & (LvtMasked | 0x700)) == (uint)DeliveryMode.ExtInt << 8;

    // 11.8.3.1: the higher of the task's and the interrupt's class; the subclass is the task's or none.
    private byte ProcessorPriority
    {
        get
        {
            var inService = Math.Max(Highest(_inService), 0);
            return _taskPriority >> 4 >= inService >> 4 ? _taskPriority : (byte)(inService & 0xF0);
        }
    }

    // 11.6.2.4, of older processors.
    private byte ArbitrationPriority
    {
        get
        {
            var task = _taskPriority >> 4;
            var inService = Math.Max(Highest(_inService), 0) >> 4;
            var requested = Math.Max(Highest(_requests), 0) >> 4;
            return task >= requested && task > inService ? _taskPriority : (byte)(Math.Max(Math.Max(task, inService), requested) << 4);
        }
    }

    /// <inheritdoc/>
    public byte AcknowledgeInterrupt()
    {
        if (_isExtIntRequested || (Lint0.Level && PassesPic))
        {
            _isExtIntRequested = false;
            return _acknowledgePic();
        }

        if (_deliverable is var vector && vector < 0)
            return IsEnabled ? (byte)_spurious : _acknowledgePic();
        SetBit(_requests, vector, false);
        SetBit(_inService, vector, true);
        Update();
        return (byte)vector;
    }

    /// <inheritdoc/>
    public void AcknowledgeNmi() => _isNmiRequested = false;

    /// <summary>Takes a message from an I/O APIC.</summary>
    /// <returns>False where it is not for this processor, or the APIC is disabled: nobody has accepted it.</returns>
    public bool Deliver(in InterruptMessage message)
    {
        if (!IsEnabled || !IsAddressed(message.Destination, message.IsLogical))
            return false;
        switch (message.Mode)
        {
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority:
                return Accept(message.Vector, message.IsLevel);
            case DeliveryMode.Nmi:
                RequestNmi();
                return true;
            case DeliveryMode.Init:
                InitRequested?.Invoke();
                return true;
            case DeliveryMode.ExtInt:
                _isExtIntRequested = true;
                Requested?.Invoke();
                return true;
            default:
                // Without effect: there is no system management mode, and the processor does not wait to be started up.
                return true;
        }
    }

    private bool IsAddressed(byte destination, bool isLogical)
    {
        if (!isLogical)
            return destination == Broadcast || destination == _id >> 24;
        var own = (byte)(_logicalDestination >> 24);

        // Flat model: a bit for each processor. Cluster model: a cluster's number and bits for its processors.
        return _destinationFormat >> 28 == 0xF
            ? (destination & own) != 0
            : (destination >> 4 == 0xF || destination >> 4 == own >> 4) && (destination & own & 0xF) != 0;
    }

    // While it is disabled by software, an APIC accepts no interrupts with vectors.
    private bool Accept(byte vector, bool isLevel)
    {
        if (vector < FirstLegalVector)
        {
            AddError(ReceivedIllegalVector);
            return false;
        }

        if (!IsSoftwareEnabled)
            return false;
        SetBit(_requests, vector, true);
        SetBit(_triggerMode, vector, isLevel);
        Update();
        return true;
    }

    private void RequestNmi()
    {
        _isNmiRequested = true;
        Requested?.Invoke();
    }

    private void EndOfInterrupt()
    {
        var vector = Highest(_inService);
        if (vector < 0)
            return;
        SetBit(_inService, vector, false);
        Update();
        if (!GetBit(_triggerMode, vector))
            return;
        if ((_lvt[LvtLint0] & LvtRemoteIrr) != 0 && (byte)_lvt[LvtLint0] == vector)
        {
            _lvt[LvtLint0] &= ~LvtRemoteIrr;
            LookAtLint0();
        }

        LevelInterruptEnded?.Invoke((byte)vector);
    }

    // Table 11-3: which commands are valid with which shorthands. There is nobody else, so that "all but self" is nobody.
    private void SendCommand()
    {
        const uint self = 1;
        const uint all = 2;
        const uint allButSelf = 3;
        var vector = (byte)_commandLow;
        var mode = (DeliveryMode)(_commandLow >> 8 & 7);
        var shorthand = _commandLow >> 18 & 3;
        if (mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority && vector < FirstLegalVector)
        {
            AddError(SentIllegalVector);
            return;
        }

        if (shorthand == allButSelf
            || (shorthand is self or all && mode != DeliveryMode.Fixed)
            || (shorthand == 0 && !IsAddressed((byte)(_commandHigh >> 24), (_commandLow & CommandLogical) != 0)))
            return;
        switch (mode)
        {
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority:
                // Interprocessor interrupts are edge-triggered, whatever the command says.
                Accept(vector, isLevel: false);
                break;
            case DeliveryMode.Nmi:
                RequestNmi();
                break;
            case DeliveryMode.Init when (_commandLow & (CommandLevel | CommandAssert)) != CommandLevel:
                // (Level-triggered and de-asserted is the arbitration message of older processors.)
                InitRequested?.Invoke();
                break;
        }
    }

    private void LocalLineChanged(int entry, bool level)
    {
        if (!IsEnabled)
        {
            // The pins are the INTR and NMI of a processor without APIC.
            if (!level)
                return;
            if (entry == LvtLint1)
                RequestNmi();
            else
                Requested?.Invoke();
        }
        else if (level)
            RaiseLocal(entry);
    }

    // A level that waited behind the mask, or for the end of the interrupt, is seen now; an edge has gone by. Only LINT0 can be level-triggered.
    private void LookAtLint0()
    {
        if (Lint0.Level && ((_lvt[LvtLint0] & LvtLevel) != 0 || PassesPic))
            RaiseLocal(LvtLint0);
    }

    // An interrupt of an entry of the local vector table.
    private void RaiseLocal(int entry)
    {
        var lvt = _lvt[entry];
        if ((lvt & LvtMasked) != 0)
            return;

        // Timer and error have no delivery mode.
        switch (entry is LvtTimer or LvtError ? DeliveryMode.Fixed : (DeliveryMode)(lvt >> 8 & 7))
        {
            case DeliveryMode.Fixed:
                var isLevel = entry == LvtLint0 && (lvt & LvtLevel) != 0;
                if ((lvt & LvtRemoteIrr) == 0 && Accept((byte)lvt, isLevel) && isLevel)
                    _lvt[entry] |= LvtRemoteIrr;
                break;
            case DeliveryMode.Nmi:
                RequestNmi();
                break;
            case DeliveryMode.Init:
                InitRequested?.Invoke();
                break;
            case DeliveryMode.ExtInt:
                Requested?.Invoke();
                break;
        }
    }

    // One interrupt tells of all errors until software looks at them.
    private void AddError(uint error)
    {
        var isFirst = _errors == 0;
        _errors |= error;
        if (isFirst)
            RaiseLocal(LvtError);
    }

    private void Update()
    {
        var before = _deliverable;
        var requested = Highest(_requests);
        _deliverable = IsEnabled && requested >> 4 > ProcessorPriority >> 4 ? requested : -1;
        if (_deliverable >= 0 && _deliverable != before)
            Requested?.Invoke();
    }

    private static int Highest(uint[] vectors)
    {
        for (var i = vectors.Length - 1; i >= 0; i--)
            if (vectors[i] != 0)
                return 32 * i + BitOperations.Log2(vectors[i]);
        return -1;
    }

    private static bool GetBit(uint[] vectors, int vector) => (vectors[vector >> 5] >> vector & 1) != 0;

    private static void SetBit(uint[] vectors, int vector, bool value)
    {
        if (value)
            vectors[vector >> 5] |= 1u << vector;
        else
            vectors[vector >> 5] &= ~(1u << vector);
    }

    private void SaveInterrupts(StateWriter w)
    {
        foreach (var vectors in (uint[][])[_inService, _triggerMode, _requests])
            foreach (var bits in vectors)
                w.WriteUInt32(bits);
        w.WriteBoolean(_isNmiRequested);
        w.WriteBoolean(_isExtIntRequested);
        w.WriteBoolean(Lint0.Level);
        w.WriteBoolean(Lint1.Level);
    }

    private void LoadInterrupts(StateReader r)
    {
        foreach (var vectors in (uint[][])[_inService, _triggerMode, _requests])
            for (var i = 0; i < vectors.Length; i++)
                vectors[i] = r.ReadUInt32() & (i == 0 ? 0xFFFF_0000 : uint.MaxValue);
        _isNmiRequested = r.ReadBoolean();
        _isExtIntRequested = r.ReadBoolean();
        Lint0.Restore(r.ReadBoolean());
        Lint1.Restore(r.ReadBoolean());
    }
}
