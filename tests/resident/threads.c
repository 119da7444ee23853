/* For LD_PRELOAD: the first thread can be started, and none after it. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
							   void *(*start)(void *), void *arg)
{
	static int started;
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		dlsym(RTLD_NEXT, "pthread_create");

	return started++ ? EAGAIN : real(thread, attr, start, arg);
}
