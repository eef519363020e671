// Catches SIGBUS around kernels only. The handler is installed once, before the first program runs;
// a fault of any other code goes to whoever handled it before, so nothing else changes.
//
// A handler may not allocate: by the initial-exec model a thread's landing place exists as long as
// the thread, where the usual one would make it on first use.
#include "guard.hpp"

#include <setjmp.h>
#include <signal.h>

#include <atomic>

namespace ftdist {
namespace {

thread_local sigjmp_buf* landing __attribute__((tls_model("initial-exec"))) = nullptr;
thread_local const void* unreadable __attribute__((tls_model("initial-exec"))) = nullptr;

struct sigaction before;

// As if this handler were not there.
void forward(int signal, siginfo_t* info, void* context) {
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler == SIG_IGN && info->si_code <= 0) return;
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    return before.sa_handler(signal);
  struct sigaction fatal = {};
  fatal.sa_handler = SIG_DFL;
  sigaction(signal, &fatal, nullptr);
  if (info->si_code <= 0) raise(signal);  // sent, not a fault: nothing would raise it again
}

void on_fault(int signal, siginfo_t* info, void* context) {
  if (landing == nullptr || info->si_code != BUS_ADRERR) return forward(signal, info, context);
  unreadable = info->si_addr;
  sigjmp_buf* const there = landing;
  landing = nullptr;
  siglongjmp(*there, 1);
}

bool install() {
  struct sigaction ours = {};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // so no landing has a mask to put back
  sigemptyset(&ours.sa_mask);
  if (sigaction(SIGBUS, nullptr, &before) != 0) return false;
  return sigaction(SIGBUS, &ours, nullptr) == 0;
}

}  // namespace

const void* guarded(void (*work)(const void*), const void* context) {
  static const bool installed = install();
  (void)installed;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) return unreadable;
  landing = &here;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  work(context);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  landing = nullptr;
  return nullptr;
}

}  // namespace ftdist
