// Work shared among torch's threads, in which denormal numbers count as zero. Arithmetic on a denormal number traps into
// the processor's microcode: gradients of what lies behind a surface are such numbers, and cost seven eighths of the
// time of a training step's rays.
#pragma once

#include <ATen/Parallel.h>

#include <cstdint>
#include <memory>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace geoinv {

// Denormal numbers, read or made, count as zero in this thread while the object lives; the thread's own setting returns
// afterwards, because torch's threads and the caller's serve others as well. Does nothing on processors without a switch.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }  // results (bit 15) and inputs (bit 6)
  ~FlushDenormals() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
  FlushDenormals() {
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(before_));
    __asm__ __volatile__("msr fpcr, %0" ::"r"(before_ | (uint64_t{1} << 24)) : "memory");  // FZ: results and inputs
  }
  ~FlushDenormals() { __asm__ __volatile__("msr fpcr, %0" ::"r"(before_) : "memory"); }
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  unsigned before_;
#elif defined(__aarch64__)
  uint64_t before_;
#endif
};

// Memory of one thread, aligned for vectors, for what it keeps between its steps.
struct Scratch {
  explicit Scratch(int64_t floats) : memory(new float[floats + 16]) {
    const auto address = reinterpret_cast<uintptr_t>(memory.get());
    aligned = reinterpret_cast<float*>((address + 63) / 64 * 64);
  }
  std::unique_ptr<float[]> memory;
  float* aligned;
};

// at::parallel_for with `body(begin, end)` run under FlushDenormals in whichever thread it lands.
template <class Body>
void parallel_for(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  at::parallel_for(begin, end, grain, [&](int64_t first, int64_t last) {
    const FlushDenormals flush;
    body(first, last);
  });
}

}  // namespace geoinv
