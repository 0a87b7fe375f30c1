// The kernels for any processor (four lanes: SSE2, NEON, or what the compiler makes of them).
#include <cstdint>
#include <cstring>

#define GEOINV_LANES 4
#include "film.h"
#include "march.h"
#include "prepare.h"
#include "two_pass.h"

namespace geoinv {

extern const Kernels kernels_generic = {march_scratch,  march_forward,  march_backward, film_scratch,   film_backward,
                                   prepare_row,    prepare_maxima, prepare_bounds, render_scratch, render_packet};

}  // namespace geoinv
