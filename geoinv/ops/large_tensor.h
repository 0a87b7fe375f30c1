// Memory of large results. A fresh tensor of 100 MB costs 25 000 page faults, which took as long as half of the
// convolution that filled it, and in a virtual machine ten times that where the host has taken the memory back. So blocks
// are kept for the next result, and lie on pages of 2 MB where the system grants them.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace geoinv {

class LargeBlocks {
 public:
  static constexpr size_t kPage = size_t{2} << 20, kLeast = 4 * kPage;  // bytes
  static constexpr size_t kMostKept = size_t{384} << 20;  // two maps of EG3D's super-resolution to 512 px, and its backbone's

  struct Block {
    void* memory;
    size_t bytes;
  };

  // The one of this process; never destroyed, because tensors may outlive everything static.
  static LargeBlocks& all() {
    static auto* blocks = new LargeBlocks;
    return *blocks;
  }

  // Memory of at least so many bytes: the smallest kept block that fits and is not far too large, or a fresh one.
  Block take(size_t bytes) {
    std::vector<Block> useless;
    {
      const std::lock_guard lock(mutex_);
      auto best = kept_.end();
      for (auto block = kept_.begin(); block != kept_.end(); ++block)
        if (block->bytes >= bytes && block->bytes <= 8 * bytes && (best == kept_.end() || block->bytes < best->bytes))
          best = block;
      if (best != kept_.end()) {
        const Block found = *best;
        kept_.erase(best);
        return found;
      }
      // maps grow from layer to layer: those of the smaller ones are not to be held beside the larger
      for (auto block = kept_.begin(); block != kept_.end();)
        if (block->bytes < bytes && block->bytes > bytes / 4) useless.push_back(*block), block = kept_.erase(block);
        else ++block;
    }
    for (const Block& block : useless) std::free(block.memory);
    const size_t whole = (bytes + kPage - 1) / kPage * kPage;
    void* memory = std::aligned_alloc(kPage, whole);
#if defined(__linux__)
    if (memory) madvise(memory, whole, MADV_HUGEPAGE);
#endif
    return {memory, whole};
  }

  // Keeps a block, and gives back the smallest where too much is kept: larger ones serve in their place.
  void give(Block block) {
    std::vector<Block> smallest;
    {
      const std::lock_guard lock(mutex_);
      kept_.push_back(block);
      size_t sum = 0;
      for (const Block& each : kept_) sum += each.bytes;
      while (sum > kMostKept) {
        const auto least = std::min_element(kept_.begin(), kept_.end(),
                                            [](const Block& a, const Block& b) { return a.bytes < b.bytes; });
        sum -= least->bytes, smallest.push_back(*least), kept_.erase(least);
      }
    }
    for (const Block& each : smallest) std::free(each.memory);
  }

 private:
  std::mutex mutex_;
  std::vector<Block> kept_;
};

// An uninitialised contiguous float tensor.
inline at::Tensor empty_large(at::IntArrayRef sizes) {
  size_t bytes = sizeof(float);
  for (const int64_t size : sizes) bytes *= static_cast<size_t>(size);
  if (bytes >= LargeBlocks::kLeast) {
    const LargeBlocks::Block block = LargeBlocks::all().take(bytes);
    if (block.memory)
      return at::from_blob(block.memory, sizes, [block](void*) { LargeBlocks::all().give(block); },
                           at::TensorOptions(at::kFloat));
  }
  return at::empty(sizes, at::TensorOptions(at::kFloat));
}

}  // namespace geoinv
