"""Which failures each system call is given. A row is a call and the errnos that callers meet in real life.

Left out: brk (libc expects the raw call) and futex and signal calls (no caller can do anything about them).
"""
import os

ERRNOS = {
    # names and folders
    "open": ["EACCES", "EMFILE", "ENOSPC", "EIO"], "openat": ["EACCES", "EMFILE", "ENOSPC", "EIO", "ENFILE", "EROFS"],
    "openat2": ["EACCES", "EMFILE", "EIO", "ENOSYS", "EAGAIN"], "access": ["EACCES"], "faccessat2": ["EACCES"],
    "stat": ["EIO"], "lstat": ["EIO"], "fstat": ["EIO"], "newfstatat": ["EIO", "EACCES", "ENOMEM"], "statx": ["EIO"],
    "statfs": ["EIO", "ENOSYS"], "fstatfs": ["EIO", "ENOSYS"], "readlink": ["EACCES", "EIO"], "readlinkat": ["EACCES", "EIO"],
    "getdents64": ["EIO", "ENOMEM"], "mkdir": ["EACCES", "ENOSPC", "EROFS"], "mkdirat": ["EACCES", "ENOSPC", "EDQUOT", "EMLINK"],
    "rename": ["EACCES", "ENOSPC", "EIO"], "renameat": ["EACCES", "ENOSPC", "EIO", "EDQUOT", "EXDEV", "EBUSY"],
    "renameat2": ["EACCES", "ENOSPC", "EINVAL"], "symlink": ["EPERM", "ENOSPC"],
    "symlinkat": ["EPERM", "EACCES", "ENOSPC", "EIO", "EDQUOT"], "linkat": ["EPERM", "EMLINK", "ENOSPC"],
    "unlink": ["EACCES", "EIO"], "unlinkat": ["EACCES", "EIO", "EBUSY"], "rmdir": ["EBUSY"], "chmod": ["EPERM"],
    "fchmod": ["EPERM", "EIO"], "fchmodat": ["EPERM"], "fchown": ["EPERM"], "utimensat": ["EPERM"], "getcwd": ["ENOENT"],
    # content
    "read": ["EIO", "EINTR"], "pread64": ["EIO", "EINTR"], "readv": ["EIO"], "preadv": ["EIO"],
    "write": ["ENOSPC", "EIO", "EDQUOT", "EINTR"], "pwrite64": ["ENOSPC", "EIO", "EDQUOT", "EINTR"],
    "writev": ["ENOSPC", "EIO"], "pwritev": ["ENOSPC", "EIO", "EDQUOT", "EFBIG", "EINTR"], "pwritev2": ["ENOSPC", "EIO"],
    "fsync": ["EIO", "ENOSPC", "EDQUOT"], "fdatasync": ["EIO", "ENOSPC", "EDQUOT"], "syncfs": ["EIO", "ENOSPC"],
    "sync_file_range": ["EIO", "ENOSYS"], "fallocate": ["ENOSPC", "EOPNOTSUPP", "EDQUOT", "EINTR"], "ftruncate": ["EIO", "EINTR"],
    "copy_file_range": ["EXDEV", "EIO", "ENOSYS"], "lseek": ["EINVAL"], "fadvise64": ["EINVAL"], "close": ["EIO", "EINTR"],
    "flock": ["ENOLCK", "EINTR", "ENOSYS", "EWOULDBLOCK"], "fcntl": ["ENOLCK", "EMFILE"], "ioctl": ["ENOTTY"],
    "dup": ["EMFILE"], "dup2": ["EMFILE"], "dup3": ["EMFILE"], "pipe2": ["EMFILE"],
    # the network
    "socket": ["EMFILE", "EAFNOSUPPORT", "ENOBUFS"], "socketpair": ["EMFILE"], "bind": ["EADDRINUSE"],
    "connect": ["ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "EADDRNOTAVAIL"], "sendto": ["ECONNRESET", "EPIPE", "EAGAIN"],
    "sendmsg": ["ECONNRESET", "EPIPE"], "sendmmsg": ["EPERM"], "recvfrom": ["ECONNRESET", "ETIMEDOUT", "EAGAIN", "EINTR"],
    "recvmsg": ["ECONNRESET"], "getsockopt": ["ENOBUFS"], "setsockopt": ["ENOBUFS"], "getsockname": ["ENOBUFS"],
    "getpeername": ["ENOTCONN"], "shutdown": ["ENOTCONN"], "poll": ["EINTR", "ENOMEM"], "ppoll": ["EINTR"],
    "epoll_wait": ["EINTR"], "epoll_pwait": ["EINTR"], "epoll_ctl": ["ENOMEM", "ENOSPC"], "epoll_create1": ["EMFILE"],
    "eventfd2": ["EMFILE"], "timerfd_create": ["EMFILE"],
    # memory, threads, the rest
    "mmap": ["ENOMEM"], "mprotect": ["ENOMEM"], "munmap": ["EINVAL"], "madvise": ["EINVAL"], "mremap": ["ENOMEM"],
    "clone3": ["EAGAIN"], "clone": ["EAGAIN"], "getrandom": ["EINTR", "ENOSYS"], "prlimit64": ["EPERM"], "sysinfo": ["EPERM"],
    "uname": ["EPERM"], "clock_nanosleep": ["EINTR"], "sched_getaffinity": ["EINVAL"],
}
# The dynamic loader maps the program and libc before there is anything to test.
FIRST = {"mmap": 24, "mprotect": 8, "munmap": 2}
# A failed write to the terminal cannot be told about on the terminal.
MUTE = {"write", "writev"}
# Failures that last: the disk stays full, the descriptors stay used up, the device is gone.
STICKY = {"openat", "openat2", "mkdirat", "renameat", "symlinkat", "unlinkat", "write", "pwrite64", "pwritev", "fsync", "fdatasync",
          "syncfs", "fallocate", "ftruncate", "flock", "socket", "connect", "sendto", "fchmod", "sync_file_range", "clone3"}
AGAIN = {"EINTR", "EAGAIN", "EWOULDBLOCK", "ENOSYS"}
if any(k.endswith("SAN_OPTIONS") for k in os.environ):
    del ERRNOS["mmap"]  # a sanitizer ends the program when it gets no memory
