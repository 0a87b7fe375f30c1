// The kernels for any processor (four lanes: SSE2, NEON, or what the compiler makes of them).
#include <cstdint>
#include <cstring>

#define GEOINV_LANES 4
#include "march.h"

namespace geoinv {

extern const Kernels kernels_generic = {march_scratch, march_forward, march_backward};

}  // namespace geoinv
