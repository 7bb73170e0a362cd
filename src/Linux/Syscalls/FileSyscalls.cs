namespace DynaTrans.Linux.Syscalls;

/// <summary>Enters the file, directory, status and descriptor calls into the tables.</summary>
internal static unsafe class FileSyscalls
{
    public static void Register(SyscallTable t)
    {
        RegisterTransfers(t);
        RegisterDescriptors(t);
        RegisterDirectories(t);
        RegisterMetadata(t);
        RegisterAttributes(t);
    }

    private static void RegisterTransfers(SyscallTable t)
    {
        t.Add("read", &FileIo.Read, "fpu", 3, 0);
        t.Add("write", &FileIo.Write, "fbu", 4, 1);
        t.Add("pread64", &FileIo.Pread, "fpul", 180, 17);
        t.Add("pwrite64", &FileIo.Pwrite, "fbul", 181, 18);
        t.Add("readv", &FileIo.Readv, "fpd", 145, 19);
        t.Add("writev", &FileIo.Writev, "fpd", 146, 20);
        t.Add("preadv", &FileIo.Preadv, "fpdl", 333, 295);
        t.Add("pwritev", &FileIo.Pwritev, "fpdl", 334, 296);
        t.Add("preadv2", &FileIo.Preadv2, "fpdlld", 378, 327);
        t.Add("pwritev2", &FileIo.Pwritev2, "fpdlld", 379, 328);
        t.Add("lseek", &FileIo.Lseek, "fld", 19, 8);
        t.Add("_llseek", &FileIo.Llseek, "fuupd", 140);
        t.Add("fsync", &FileIo.Fsync, "f", 118, 74);
        t.Add("fdatasync", &FileIo.Fdatasync, "f", 148, 75);
        t.Add("syncfs", &FileIo.Syncfs, "f", 344, 306);
        t.Add("sync", &FileIo.Sync, "", 36, 162);
        t.Add("sync_file_range", &FileIo.SyncFileRange, "fllu", 314, 277);
        t.Add("fallocate", &FileIo.Fallocate, "fdll", 324, 285);
        t.Add("fadvise64", &FileIo.Fadvise, "flld", 250, 221);
        t.Add("fadvise64_64", &FileIo.FadviseLarge, "fllll", 272);
        t.Add("readahead", &FileIo.Readahead, "flu", 225, 187);
        t.Add("truncate", &FileIo.Truncate, "sl", 92, 76);
        t.Add("truncate64", &FileIo.TruncateLarge, "sll", 193);
        t.Add("ftruncate", &FileIo.Ftruncate, "fl", 93, 77);
        t.Add("ftruncate64", &FileIo.FtruncateLarge, "fll", 194);
        t.Add("copy_file_range", &FileIo.CopyFileRange, "fpfpux", 377, 326);
        t.Add("splice", &FileIo.Splice, "fpfpux", 313, 275);
        t.Add("tee", &FileIo.Tee, "ffux", 315, 276);
        t.Add("vmsplice", &FileIo.Vmsplice, "fpux", 316, 278);
        t.Add("sendfile", &FileIo.Sendfile, "ffpu", 187, 40);
        t.Add("sendfile64", &FileIo.SendfileLarge, "ffpu", 239);
    }

    private static void RegisterDescriptors(SyscallTable t)
    {
        t.Add("open", &DescriptorCalls.Open, "sxo", 5, 2);
        t.Add("openat", &DescriptorCalls.OpenAt, "fsxo", 295, 257);
        t.Add("openat2", &DescriptorCalls.OpenAt2, "fspu", 437, 437);
        t.Add("creat", &DescriptorCalls.Creat, "so", 8, 85);
        t.Add("close", &DescriptorCalls.Close, "f", 6, 3);
        t.Add("close_range", &DescriptorCalls.CloseRange, "uux", 436, 436);
        t.Add("dup", &DescriptorCalls.Dup, "f", 41, 32);
        t.Add("dup2", &DescriptorCalls.Dup2, "ff", 63, 33);
        t.Add("dup3", &DescriptorCalls.Dup3, "ffx", 330, 292);
        t.Add("fcntl", &DescriptorCalls.Fcntl, "fdx", 55, 72);
        t.Add("fcntl64", &DescriptorCalls.Fcntl, "fdx", 221);
        t.Add("flock", &DescriptorCalls.Flock, "fx", 143, 73);
        t.Add("pipe", &DescriptorCalls.Pipe, "p", 42, 22);
        t.Add("pipe2", &DescriptorCalls.Pipe2, "px", 331, 293);
        t.Add("ioctl", &Ioctls.Ioctl, "fxx", 54, 16);
        t.Add("eventfd", &EventFiles.Eventfd, "u", 323, 284);
        t.Add("eventfd2", &EventFiles.Eventfd2, "ux", 328, 290);
        t.Add("signalfd", &EventFiles.Signalfd, "fpu", 321, 282);
        t.Add("signalfd4", &EventFiles.Signalfd4, "fpux", 327, 289);
        t.Add("timerfd_create", &EventFiles.TimerfdCreate, "dx", 322, 283);
        t.Add("timerfd_settime", &EventFiles.TimerfdSetTime, "fxpp", 325, 286);
        t.Add("timerfd_gettime", &EventFiles.TimerfdGetTime, "fp", 326, 287);
        t.Add("timerfd_settime64", &EventFiles.TimerfdSetTime64, "fxpp", 411);
        t.Add("timerfd_gettime64", &EventFiles.TimerfdGetTime64, "fp", 410);
        t.Add("inotify_init", &EventFiles.InotifyInit, "", 291, 253);
        t.Add("inotify_init1", &EventFiles.InotifyInit1, "x", 332, 294);
        t.Add("inotify_add_watch", &EventFiles.InotifyAddWatch, "fsx", 292, 254);
        t.Add("inotify_rm_watch", &EventFiles.InotifyRemoveWatch, "fd", 293, 255);
        t.Add("memfd_create", &EventFiles.MemfdCreate, "sx", 356, 319);
    }

    private static void RegisterDirectories(SyscallTable t)
    {
        t.Add("getcwd", &Directories.Getcwd, "pu", 183, 79);
        t.Add("chdir", &Directories.Chdir, "s", 12, 80);
        t.Add("fchdir", &Directories.Fchdir, "f", 133, 81);
        t.Add("mkdir", &Directories.Mkdir, "so", 39, 83);
        t.Add("mkdirat", &Directories.MkdirAt, "fso", 296, 258);
        t.Add("mknod", &Directories.Mknod, "sox", 14, 133);
        t.Add("mknodat", &Directories.MknodAt, "fsox", 297, 259);
        t.Add("rmdir", &Directories.Rmdir, "s", 40, 84);
        t.Add("unlink", &Directories.Unlink, "s", 10, 87);
        t.Add("unlinkat", &Directories.UnlinkAt, "fsx", 301, 263);
        t.Add("rename", &Directories.Rename, "ss", 38, 82);
        t.Add("renameat", &Directories.RenameAt, "fsfs", 302, 264);
        t.Add("renameat2", &Directories.RenameAt2, "fsfsx", 353, 316);
        t.Add("link", &Directories.Link, "ss", 9, 86);
        t.Add("linkat", &Directories.LinkAt, "fsfsx", 303, 265);
        t.Add("symlink", &Directories.Symlink, "ss", 83, 88);
        t.Add("symlinkat", &Directories.SymlinkAt, "sfs", 304, 266);
        t.Add("readlink", &Directories.Readlink, "spu", 85, 89);
        t.Add("readlinkat", &Directories.ReadlinkAt, "fspu", 305, 267);
        t.Add("umask", &Directories.Umask, "o", 60, 95);
        t.Add("getdents", &Directories.Getdents, "fpu", 141, 78);
        t.Add("getdents64", &Directories.Getdents64, "fpu", 220, 217);
        t.Add("chroot", &Directories.NotPermitted, "s", 61, 161);
        t.Add("mount", &Directories.NotPermitted, "sssxp", 21, 165);
        t.Add("umount", &Directories.NotPermitted, "s", 22);
        t.Add("umount2", &Directories.NotPermitted, "sx", 52, 166);
        t.Add("pivot_root", &Directories.NotPermitted, "ss", 217, 155);
        t.Add("swapon", &Directories.NotPermitted, "sx", 87, 167);
        t.Add("swapoff", &Directories.NotPermitted, "s", 115, 168);
        t.Add("acct", &Directories.NotPermitted, "s", 51, 163);
    }

    private static void RegisterMetadata(SyscallTable t)
    {
        t.Add("stat", &Metadata.Stat, "sp", 106, 4);
        t.Add("lstat", &Metadata.Lstat, "sp", 107, 6);
        t.Add("fstat", &Metadata.Fstat, "fp", 108, 5);
        t.Add("oldstat", &Metadata.OldStat, "sp", 18);
        t.Add("oldlstat", &Metadata.OldLstat, "sp", 84);
        t.Add("oldfstat", &Metadata.OldFstat, "fp", 28);
        t.Add("stat64", &Metadata.StatLarge, "sp", 195);
        t.Add("lstat64", &Metadata.LstatLarge, "sp", 196);
        t.Add("fstat64", &Metadata.FstatLarge, "fp", 197);
        t.Add("fstatat64", &Metadata.FstatAt, "fspx", 300);
        t.Add("newfstatat", &Metadata.FstatAt, "fspx", -1, 262);
        t.Add("statx", &Metadata.Statx, "fsxxp", 383, 332);
        t.Add("access", &Metadata.Access, "sd", 33, 21);
        t.Add("faccessat", &Metadata.AccessAt, "fsd", 307, 269);
        t.Add("faccessat2", &Metadata.AccessAt2, "fsdx", 439, 439);
        t.Add("chmod", &Metadata.Chmod, "so", 15, 90);
        t.Add("fchmod", &Metadata.Fchmod, "fo", 94, 91);
        t.Add("fchmodat", &Metadata.ChmodAt, "fso", 306, 268);
        t.Add("chown", &Metadata.Chown, "sdd", -1, 92);
        t.Add("fchown", &Metadata.Fchown, "fdd", -1, 93);
        t.Add("lchown", &Metadata.Lchown, "sdd", -1, 94);
        t.Add("chown32", &Metadata.Chown, "sdd", 212);
        t.Add("fchown32", &Metadata.Fchown, "fdd", 207);
        t.Add("lchown32", &Metadata.Lchown, "sdd", 198);
        t.Add("chown", &Metadata.Chown16, "sdd", 182);
        t.Add("fchown", &Metadata.Fchown16, "fdd", 95);
        t.Add("lchown", &Metadata.Lchown16, "sdd", 16);
        t.Add("fchownat", &Metadata.ChownAt, "fsddx", 298, 260);
        t.Add("utime", &Metadata.Utime, "sp", 30, 132);
        t.Add("utimes", &Metadata.Utimes, "sp", 271, 235);
        t.Add("futimesat", &Metadata.FutimesAt, "fsp", 299, 261);
        t.Add("utimensat", &Metadata.UtimensAt, "fspx", 320, 280);
        t.Add("utimensat_time64", &Metadata.UtimensAt64, "fspx", 412);
        t.Add("statfs", &Metadata.Statfs, "sp", 99, 137);
        t.Add("fstatfs", &Metadata.Fstatfs, "fp", 100, 138);
        t.Add("statfs64", &Metadata.StatfsLarge, "sup", 268);
        t.Add("fstatfs64", &Metadata.FstatfsLarge, "fup", 269);
    }

    private static void RegisterAttributes(SyscallTable t)
    {
        t.Add("setxattr", &ExtendedAttributes.Set, "sspux", 226, 188);
        t.Add("lsetxattr", &ExtendedAttributes.SetLink, "sspux", 227, 189);
        t.Add("fsetxattr", &ExtendedAttributes.SetOpen, "fspux", 228, 190);
        t.Add("getxattr", &ExtendedAttributes.Get, "sspu", 229, 191);
        t.Add("lgetxattr", &ExtendedAttributes.GetLink, "sspu", 230, 192);
        t.Add("fgetxattr", &ExtendedAttributes.GetOpen, "fspu", 231, 193);
        t.Add("listxattr", &ExtendedAttributes.List, "spu", 232, 194);
        t.Add("llistxattr", &ExtendedAttributes.ListLink, "spu", 233, 195);
        t.Add("flistxattr", &ExtendedAttributes.ListOpen, "fpu", 234, 196);
        t.Add("removexattr", &ExtendedAttributes.Remove, "ss", 235, 197);
        t.Add("lremovexattr", &ExtendedAttributes.RemoveLink, "ss", 236, 198);
        t.Add("fremovexattr", &ExtendedAttributes.RemoveOpen, "fs", 237, 199);
    }
}
