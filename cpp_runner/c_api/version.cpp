#include "mpm_runner/mpm.h"

const char* mpm_version(void) { return MPM_VERSION; }
int32_t mpm_abi_version(void) { return MPM_ABI_VERSION; }
