/* Random bytes for Rust's standard library under wine 8 (Debian 12), which has no bcryptprimitives.dll. Newer ones have it. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T len) {
    while (len > 0) {
        ULONG part = len > 0x10000 ? 0x10000 : (ULONG)len;
        if (!RtlGenRandom(bytes, part)) return FALSE;
        bytes += part;
        len -= part;
    }
    return TRUE;
}
