using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>
/// Random code for a <see cref="BareMachine"/>: loops, branches, functions and a table of them, with integer, vector and x87 instructions, string
/// instructions and a helper. It ends at an int3 and leaves all registers and flags in the data, which is then all there is to compare.
/// </summary>
internal sealed class RandomGuest
{
    /// <summary>Bytes of data that it uses.</summary>
    public const int DataSize = 0x4000;

    private const int Data = (int)BareMachine.Data, Counter = Data + 0x3000, Table = Data + 0x3100, Saved = Data + 0x3200, State = Data + 0x3400;

    private static readonly AssemblerRegister32[] Registers = [eax, ebx, edx, ebp];
    private static readonly AssemblerRegisterXMM[] Vectors = [xmm0, xmm1, xmm2, xmm3, xmm4];

    private readonly Assembler _a;
    private readonly Random _random;
    private readonly bool _is64;
    private readonly Label[] _functions = new Label[3];

    private RandomGuest(Assembler a, Random random)
    {
        (_a, _random, _is64) = (a, random, a.Bitness == 64);
        for (var i = 0; i < _functions.Length; i++)
            _functions[i] = a.CreateLabel();
    }

    private AssemblerRegister32 Any => Registers[_random.Next(Registers.Length)];

    private AssemblerRegisterXMM AnyVector => Vectors[_random.Next(Vectors.Length)];

    private int Offset => Data + _random.Next(0x400);

    /// <summary>Assembles a program.</summary>
    public static void Assemble(Assembler a, Random random, int parts) => new RandomGuest(a, random).Run(parts);

    private void Run(int parts)
    {
        _a.finit();
        foreach (var register in Registers)
            _a.mov(register, _random.Next());
        _a.mov(esi, _random.Next(0x800));
        for (var i = 0; i < Vectors.Length; i++)
            _a.movdqu(Vectors[i], __xmmword_ptr[Data + (16 * i)]);
        for (var i = 0; _is64 && i < _functions.Length; i++)
        {
            _a.lea(rdi, __[_functions[i]]);
            _a.mov(__qword_ptr[Table + (8 * i)], rdi);
        }

        _a.mov(__dword_ptr[Counter], 20 + _random.Next(30));
        var loop = _a.CreateLabel();
        _a.Label(ref loop);
        for (var i = 0; i < parts; i++)
            Part();
        _a.dec(__dword_ptr[Counter]);
        _a.jnz(loop);
        Save();
        _a.int3();
        for (var i = 0; i < _functions.Length; i++)
        {
            _a.Label(ref _functions[i]);
            Straight(_random.Next(1, 5));
            Skip();
            _a.ret();
        }
    }

    private void Part()
    {
        switch (_random.Next(6))
        {
            case 0:
                Skip();
                break;
            case 2 when _is64:
                // The linkage of a program: always the same one, or one of all.
                _a.mov(ecx, _random.Next(2) == 0 ? 1 : 0);
                _a.and(ecx, __dword_ptr[Counter]);
                _a.call(__qword_ptr[(rcx * 8) + Table]);
                break;
            case 1 or 2:
                _a.call(_functions[_random.Next(_functions.Length)]);
                break;
            case 3:
                var inner = _a.CreateLabel();
                _a.mov(ecx, _random.Next(1, 12));
                _a.Label(ref inner);
                Straight(_random.Next(1, 4));
                _a.dec(ecx);
                _a.jnz(inner);
                break;
            default:
                Straight(_random.Next(1, 8));
                break;
        }
    }

    private void Skip()
    {
        var over = _a.CreateLabel();
        _a.cmp(Any, __dword_ptr[Offset]);
        switch (_random.Next(5))
        {
            case 0: _a.ja(over); break;
            case 1: _a.jl(over); break;
            case 2: _a.jo(over); break;
            case 3: _a.jp(over); break;
            default: _a.js(over); break;
        }

        Straight(_random.Next(1, 5));
        _a.Label(ref over);
        _a.nop();
    }

    // None of these changes ecx or the stack.
    private void Straight(int count)
    {
        for (var i = 0; i < count; i++)
        {
            switch (_random.Next(8))
            {
                case <= 2: Arithmetic(); break;
                case 3: Memory(); break;
                case 4: Vector(); break;
                case 5: Float(); break;
                case 6: Flags(); break;
                default: Rare(); break;
            }
        }
    }

    private void Arithmetic()
    {
        var (x, y) = (Any, Any);
        switch (_random.Next(12))
        {
            case 0: _a.add(x, y); break;
            case 1: _a.sub(x, _random.Next()); break;
            case 2: _a.adc(x, y); break;
            case 3: _a.sbb(x, __dword_ptr[Offset]); break;
            case 4: _a.xor(x, y); break;
            case 5: _a.and(x, _random.Next()); break;
            case 6: _a.imul(x, y); break;
            case 7: _a.shl(x, (byte)_random.Next(33)); break;
            case 8: _a.rol(x, (byte)_random.Next(33)); break;
            case 9: _a.neg(x); break;
            case 10: _a.lea(x, __[y + (esi * 4) + _random.Next(1000)]); break;
            default:
                if (_is64)
                    _a.add(rbx, rax);
                else
                    _a.add(bx, ax);
                break;
        }
    }

    private void Memory()
    {
        switch (_random.Next(6))
        {
            case 0: _a.mov(Any, __dword_ptr[Offset]); break;
            case 1: _a.mov(__dword_ptr[Offset], Any); break;
            case 2: _a.add(__byte_ptr[esi + Offset], al); break;
            case 3: _a.movzx(Any, __word_ptr[esi + Offset]); break;
            case 4: _a.xadd(__dword_ptr[Offset], Any); break;
            default:
                _a.and(esi, 0x7F8);
                _a.movsx(Any, __byte_ptr[esi + Offset]);
                break;
        }
    }

    private void Vector()
    {
        var (x, y) = (AnyVector, AnyVector);
        switch (_random.Next(9))
        {
            case 0: _a.paddd(x, y); break;
            case 1: _a.pxor(x, __xmmword_ptr[Data + (16 * _random.Next(64))]); break;
            case 2: _a.pshufd(x, y, (byte)_random.Next(256)); break;
            case 3: _a.movdqu(__xmmword_ptr[esi + Offset], x); break;
            case 4: _a.cvtdq2pd(x, y); break;
            case 5: _a.addsd(x, y); break;
            case 6: _a.pcmpgtb(x, y); break;
            case 7: _a.pmuludq(x, y); break;
            default: _a.movd(Any, x); break;
        }
    }

    private void Float()
    {
        _a.fild(__dword_ptr[Offset]);
        switch (_random.Next(4))
        {
            case 0: _a.fadd(st0, st0); break;
            case 1: _a.fsqrt(); break;
            case 2: _a.fimul(__word_ptr[Offset]); break;
            default: _a.fchs(); break;
        }

        if (_random.Next(2) == 0)
            _a.fstp(__qword_ptr[Offset]);
        else
            _a.fistp(__dword_ptr[Offset]);
    }

    private void Flags()
    {
        switch (_random.Next(5))
        {
            case 0: _a.setb(__byte_ptr[Offset]); break;
            case 1: _a.cmovg(Any, Any); break;
            case 2: _a.stc(); break;
            case 3: _a.cmc(); break;
            default: _a.test(Any, Any); break;
        }
    }

    private void Rare()
    {
        switch (_random.Next(5))
        {
            case 0:
                _a.mov(edi, Offset);
                _a.xchg(ecx, ebp);
                _a.mov(ecx, _random.Next(20));
                _a.rep.stosb();
                _a.xchg(ecx, ebp);
                break;
            case 1:
                _a.mov(edi, Offset);
                _a.lea(esi, __[edi + _random.Next(64)]);
                _a.movsd();
                _a.and(esi, 0x7F8);
                break;
            case 2:
                _a.xor(edx, edx);
                _a.mov(edi, _random.Next(1, 1000));
                _a.div(edi);
                break;
            case 3:
                _a.bsf(Any, Any);
                break;
            default:
                _a.mul(Any);
                break;
        }
    }

    private void Save()
    {
        for (var i = 0; i < Registers.Length; i++)
            _a.mov(__dword_ptr[Saved + (8 * i)], Registers[i]);
        _a.mov(__dword_ptr[Saved + 0x40], esi);
        if (_is64)
        {
            _a.pushfq();
            _a.pop(rax);
            _a.mov(__qword_ptr[Saved + 0x48], rax);
            _a.mov(__qword_ptr[Saved + 0x50], rbx);
        }
        else
        {
            _a.pushfd();
            _a.pop(eax);
            _a.mov(__dword_ptr[Saved + 0x48], eax);
        }

        _a.fxsave(__[State]);
    }
}
