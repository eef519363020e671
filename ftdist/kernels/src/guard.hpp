// Mapped files may shrink, or their disk may fail, while kernels read them: the system then sends
// SIGBUS, whose default is that the process dies without a word.
#pragma once

namespace ftdist {

// Calls `work(context)` with such faults caught on this thread. Null when it came to its end, else
// the address that could not be read; what was under way is then abandoned where it stood, so it
// must hold nothing that wants to be released.
const void* guarded(void (*work)(const void*), const void* context);

}  // namespace ftdist
