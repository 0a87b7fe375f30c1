// Points under films on CPU: tensors in and out, and torch's own threads.
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>

#include "../parallel.h"
#include "tensors.h"

namespace geoinv {
namespace {

// points [B, N, 3], film [B, N, 2 H] -> [B, N, 7].
at::Tensor film_change_cpu(GEOINV_HEAD_TENSORS, const at::Tensor& points, const at::Tensor& film) {
  TORCH_CHECK(points.is_contiguous(), "points must be contiguous");
  const HeadTensors head(GEOINV_HEAD_NAMES);
  const at::Tensor rows = film_rows(film);
  const int64_t heads = points.size(0), count = points.size(1), blocks = (count + kFilmPoints - 1) / kFilmPoints;
  at::Tensor change = at::empty({heads, count, kFeatures}, points.options());
  const FilmChange task{head.views, count, points.const_data_ptr<float>(), rows.const_data_ptr<float>(),
                        change.mutable_data_ptr<float>()};
  parallel_for(0, heads * blocks, 4, [&](int64_t begin, int64_t end) {
    const Scratch scratch(film_change_scratch(task));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % blocks * kFilmPoints;
      film_change(task, i / blocks, first, std::min(first + kFilmPoints, count), scratch.aligned);
    }
  });
  return change;
}

}  // namespace
}  // namespace geoinv

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def("anchored_film_change(" GEOINV_HEAD_SCHEMA ", Tensor points, Tensor film) -> Tensor",
              geoinv::film_change_cpu);
}
