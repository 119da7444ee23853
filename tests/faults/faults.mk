# Tests with injected failures: the linker sends the calls of our own objects through wraps
# (inject.h).  A build with sanitizers also looks for leaks after each:
#   make check-built BUILD=… SANITIZE='-fsanitize=address,undefined' T='$(FAULT_TESTS)'

FAULT_TESTS := $(patsubst tests/faults/%.c,$(BUILD)/tests/faults/%,$(wildcard tests/faults/test_*.c))
FAULT_MODULE := $(BUILD)/tests/faults/pam_ibmiam.so
T += $(FAULT_TESTS)

wrap = $(patsubst %,-Wl$(comma)--wrap=%,$(1))
comma := ,
WRAP_LIBC := malloc calloc realloc strdup asprintf __asprintf_chk fmemopen open openat opendir scandirat fstat stat \
	read __read_chk getrandom mmap munmap mlock madvise socketpair socket connect getsockopt send recvmsg poll __poll_chk signalfd \
	waitpid _Fork execve dup2 chdir setrlimit getrlimit prctl syscall
WRAP_BROKER := cfg_init cfg_parse_fp curl_easy_init curl_multi_init curl_easy_setopt curl_slist_append \
	curl_multi_add_handle curl_multi_perform curl_multi_poll curl_multi_info_read iam_begin iam_wait iam_cancel log_line \
	getpwnam setgroups setresgid setresuid getresuid seccomp_init seccomp_rule_add seccomp_load \
	free cJSON_InitHooks curl_global_init_mem \
	epoll_create1 epoll_ctl epoll_wait accept4 recv __recv_chk tsearch HMAC
WRAP_PAM := pam_set_data pam_get_user pam_modutil_getpwnam pam_putenv pam_prompt pam_syslog

inject = $(patsubst %,$(BUILD)/tests/faults/%.o,$(1))

check-built: $(FAULT_TESTS) $(FAULT_MODULE)

$(addprefix $(BUILD)/tests/faults/,test_broker test_server): $(BUILD)/tests/faults/%: \
		$(BUILD)/tests/faults/%.o $(call inject,inject wraps wraps_broker) $(TESTED)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(call wrap,$(WRAP_LIBC) $(WRAP_BROKER)) -o $@ $^ -lcmocka $(BROKER_LIBS)

$(BUILD)/tests/faults/test_server: $(BUILD)/tests/faults/broker_main.o

$(BUILD)/tests/faults/broker_main.o: $(BUILD)/pam_ibmiam/broker/main.o
	$(Q)objcopy --redefine-sym main=broker_main $< $@

$(BUILD)/tests/faults/test_confuse: $(call inject,test_confuse) $(TESTED)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -rdynamic -o $@ $^ -lcmocka $(BROKER_LIBS)

$(BUILD)/tests/faults/test_confuse.o: ALL_CFLAGS += -fno-builtin

$(BUILD)/tests/faults/test_host: $(call inject,test_host inject wraps) $(COMMON) | $(FAULT_MODULE)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(call wrap,$(WRAP_LIBC)) -rdynamic -o $@ $^ -lcmocka -lpam

# What it asks of inject.c it finds in the program that loads it.
$(FAULT_MODULE): $(MODULE) $(COMMON) $(call inject,wraps wraps_pam)
	$(call say,LINK)
	$(Q)$(CC) -shared $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,-z,undefs $(call wrap,$(WRAP_LIBC) $(WRAP_PAM)) \
		-o $@ $^ -lpam

$(BUILD)/tests/faults/%.o: ALL_CFLAGS += -Ipam_ibmiam/broker -Itests/unit

-include $(FAULT_TESTS:%=%.d) $(patsubst %.o,%.d,$(call inject,inject wraps wraps_broker wraps_pam))
