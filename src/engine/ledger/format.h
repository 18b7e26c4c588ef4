/* The format number of what the engine writes: ledger, state, rejects. A newer one is refused. */
#ifndef TRANSHUME_ENGINE_FORMAT_H
#define TRANSHUME_ENGINE_FORMAT_H

enum { CONTROL_FORMAT = 1 };

#endif
