/* Reading before-images back, from the last frame to the first. */
#ifndef TRANSHUME_ENGINE_BEFORE_FRAMES_H
#define TRANSHUME_ENGINE_BEFORE_FRAMES_H

#include "engine/session.h"

/* Are the images in `folder` of this run? */
bool before_is_of(const char *folder, const char *run_id);

#endif
