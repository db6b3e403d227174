"""Names that every session of a worker looks up, side by side in memory.

DESCRIPTION
    CPython's cache of attributes keeps a reference to each name that was looked up in a class, and so does each
    dictionary that has it for a key.  To count the reference is to write to the name, and a process that was forked
    has its own copy of the whole page then.  A name is one object wherever it occurs in code, made with the first
    module that has it; those of a session lie in 290 pages, among 50,000 others.

    Whoever loads this module before all others has them in 110, of which Python has filled most at its start.
    Nothing else follows from it: a name that is missing here, or not used any more, costs what it has cost before.

    These are the ones whose counts differ between a worker and the spawner that it was forked from, in sessions
    that list, select, fetch, store, search, append, copy, expunge and wait in IDLE.
"""

import sys
from typing import Final

NAMES: Final = tuple(
    sys.intern(name)
    for name in """
_abc_impl _aborting _absent absent_commands AbstractEventLoop accept accept_literal _account account account_of
acl_anyone acl_shared_dict acquire _acquire_restore action ADD _add add add_done_callback add_keywords
add_previews add_reader _add_texts ADDED _addresses addressof _adjust_thread_count _admins _adopt_arrivals
_adopted AF_UNIX _after _after_idle _ahead _aio ALL all _all_bits_ allow_nan __and__ __annotations__ _announced
_answer answered _answers _any any _append append append_steps appended _appends are_coming are_counted_as
are_stale _args args _argument arrivals _asked asked_capabilities _asked_to_park _assign astring
_asyncgen_finalizer_hook _asyncio_future_blocking at at_announcement at_close at_end _at_fork_reinit at_once
at_word_end atom attempt _attributes AUTHENTICATED _awaits_line _bad_commands base base_at_once _base_dir
base_dir _base_error basename bases _batch batch_size _become _began _begin begin begin_filling _begin_long
begin_parts begin_write_out _begins_at begins_now _below _below_inbox bit_length _bits block _blocks BODY body
body_bytes body_count body_end body_start BODY_STRUCTURE body_structure _bootstrap _bootstrap_inner boundaries
_boundary_ _broken buffer _buffer_decode build _busy _by_content BY_FILE _by_the_book_until by_uid by_uids byref
byteorder bytes_in bytes_out c_long c_ulong c_void_p _cache _cache_number _caches _call call_at call_later
call_soon call_soon_threadsafe _callbacks cancel cancelled cancelling capability _capacity CDLL _change
change_flags change_number _changed changed_since _changes changes _changing_names _channel _channels _charset
chdir check_circular CHILDREN choose _claim_recent claim_recent __class__ __class_getitem__ clear client_pid
_clock clock close CLOSED closed _closing CMSG_SPACE co_flags __code__ CodeType _collect _columns come _coming
coming _commits compile completed _cond _condition condstore config _connect _connected Connection _connection
connection_made _consider __contains__ _content content content_type _contents _context context control
control_directory _control_recheck_at _control_state _conversation _converse _copied Copy copy copy_context
_count count counter _counts cpu_count _create _create_cb_wrapper create_future create_string_buffer create_task
CREATED _crlf_size ctypes _cur cur_mtime current_task cut daemon _daemonic damaged data data_received
data_to_send date Debug _debug debug DECISION decode Decoder default _defaults __defaults__ _definitions _delay
_delete DELETED deleted delivery _depth deque descriptor detach __dict__ difference_update dir_fd directories
_directory directory dirname _disk_is_busy_until __doc__ domain domain_first domain_last _done done
_done_callbacks dovecot _drained drop _drv dst dst_dir_fd dumps dup EFD_CLOEXEC EMAIL_ID _email_ids encode _end
end end_parts _end_reason _ended _ends _ends_need_us endswith engine ensure_ascii ensure_defaults ensure_header
__enter__ enter_mailbox _entered _entries entries ENVELOPE envelope EPOLLOUT error _errors escape _escaping
escaping Event _eventfd eventfd _events events exc_info excepthook _exception exception execute executemany
_executor executor existing exists __exit__ _exit_callbacks _exiting expect expect_line expect_open expected
EXPUNGE expunge EXPUNGED _expunged expunged expunges expunges_pend _expunging extend failed_reads fault _fd
fdatasync Fetch fget field _field_names field_values _fields fields fields_of figures _file _file_size _files
files _files_changed _fill fill fill_cache _fill_here filled_to filling filter _find find findall _finders
finish_write_out finished _first _first_recent first_recent first_unseen first_valid_gid first_valid_uid _flag
flag _flag_mask_ FLAGS _flags flags _flags_ _flavour flush flush_if_much _flush_scheduled fn _folder folder
follow_symlinks _forget forget forget_lines fork _found found _fragments _frames _free freeze fresh from_bytes
from_content _from_parts _from_table fromkeys fromordinal fsencode fspath fstat fstatfs fsync_all _fsyncs
ftruncate fullmatch func __func__ _func_flags_ _func_restype_ _FuncPtr FunctionType Future future
_Future__get_result futures FUZZY_PREVIEW _gathers gen get get_asyncgen_hooks get_buffer get_debug get_loop
_get_running_loop get_running_loop __getattribute__ getgid getgrouplist gethostname __getitem__ getpid getppid
getrandbits getrlimit getsignal gid _given_up _given_uses go_ahead go_on go_on_idling _goes_on_from _groups
groups GUID _guid guid _guid_of _guids _hand_over hand_over _handle _handle_fromlist has_acl _has_begun
_has_changed has_changed has_children _has_dead has_defaults _has_fields has_history has_lists has_literals
has_modseqs _has_own_file has_plugin has_quota has_star __hash__ have_changed HEADER _header header header_bytes
header_count _header_end HEADER_FIELDS HEADER_FIELDS_NOT _hear hear _hear_client _heeding _held held hex highest
highest_modseq highest_uid HIGHESTMODSEQ history _holders home _host _ident ident _identity idle idle_limit
idle_notify_interval _idle_semaphore _idle_timer _ids imap_capability imap_client_workarounds
imap_hibernate_timeout imap_id_log imap_id_send imap_literal_minus imap_logout_format imap_max_line_length
imap_urlauth_port in_new INBOX indent _index index index_directory index_policy index_stamp _indexers indexers
indices Info __init__ _initargs initial INITIALIZED _initialized _initializer inner _inotify inotify_add_watch
inotify_init1 __instancecheck__ intern INTERNAL_DATE internal_date _interrupt_count _interval _inverted_
_invoke_callbacks _invoke_excepthook invoke_excepthook _io_refs _is_busy _is_closed is_closed _is_collecting
is_current is_empty is_ending is_filled is_full is_huge is_identified is_mailbox is_message is_multipart
_is_nested _is_owned _is_parking is_plain is_quiet is_read _is_running is_running _is_scheduled is_set
_is_shared _is_short is_stale _is_stopped is_text is_tracking _is_unused_default _is_usable is_waiting isascii
iscoroutine isdisjoint isfuture isprintable isspace istext item_separator items _iter_member_ _iterating
iterencode join _journal journal_position keep _keep_alive keep_expunged keep_few_idle keep_few_looked_at
_keeps_defaults _kept kept _key key key_separator keys keys_to_end _keywords keywords _keywords_told _kick kind
_known known known_uids _knows_header _kwargs kwargs __kwdefaults__ kwds label _large _last _last_activity
_last_command _last_time _last_uid last_uid last_valid_uid lasting_memo _later layout lazy_expunge
lazy_expunge_of _lazy_init leave_mailbox _leaving _leisure leisure __len__ length _length_ _lengths
let_go_mailbox _letter_bits _letters _library LINE _line _lines link link_in lip list_cur list_new listdir
_listed _listener _listing literal_minus lmtp _load load _loaded _loading localtime Lock _lock lock _lock_file
_locked locked log log_values _login_tag Logout _logout_format _long_ended _look look _look_for _look_in
look_soon _looked _looked_at _looked_for _looked_through looks_like_sequence_set _loop loop _loop_factory _lost
lower lstrip LSUB_FLAGS _made made MADV_DONTNEED mail_attribute_dict mail_debug mail_log mail_log_of
mail_plugins mail_server_admin mail_server_comment mailbox mailbox_changed mailbox_id _mailboxes mailboxes
maildir _main main_thread _make make make_control _make_fsyncs _makes_directory _mark mark _mark_seen marked
_marks_seen marks_seen Match match matches matching max _max_line max_line_length _max_workers maxsize maxsplit
may_hold meaning _member_type_ memo _merged message_size_limit MESSAGES messages metadata MethodType MIME
missing _missing_ mkdir _modified modified _modified_ns MODSEQ modseq _modseqs modseqs modseqs_told module
__module__ monotonic month _most move mro _mtime _mtime_of _mtimes _mutex mutex MYRIGHTS _name name _name_
__name__ name_of _name_watch _names names names_charset _namespaces namespaces _native_id NEED_DATA
_needs_no_space needs_only_header _needs_tree _neighbours nested _new new __new__ new_event_loop _new_flags
new_mtime new_names newest_file news next next_command _next_event _next_line _next_part next_uid NONE
NOT_AUTHENTICATED note note_added note_expunged note_listing note_new note_own_change _note_use note_use _noted
_notes notifications _notified notifies notify notify_all _now now now_ns _number number number_of _numbers
O_CLOEXEC O_CREAT O_DIRECTORY O_EXCL O_NOFOLLOW O_PATH O_RDWR O_WRONLY _octets octets of of_all _of_columns
of_row of_uid of_uids of_user _offer_tag _offset ok _old _on_close _on_completed_fut on_disk _on_task_done
on_time _one_key only_fields only_name only_size _open open open_target opened _opening _options options __or__
_orders orig_argv origin __origin__ other_fields _out _outbox _own_context _owner pack_into _packing packing
_parent_cancel_requested _parent_task park_after _parked parked _parking _parse part partial partition _parts
parts _path path __path__ paths paths_of _patterns patterns _paused peek _pending _pending_removals _perform
permanent_flags _pid place place_of places platform _pointers _policy pop pop3_client_workarounds
pop3_delete_type pop3_deleted_flag pop3_enable_last pop3_logout_format pop3_no_flag_updates _pop3_options
pop3_reuse_xuidl pop3_save_uidl pop3_uidl_duplicates pop3_uidl_format _position position postfix pragma prctl
pread _prefix prefix prefixed prepare PREVIEW _program publish _push_exit_callback put pwrite qresync
__qualname__ _quota quota quota_mail_size _quotas __rand__ _randbelow randbelow ranges raw READ _read read
read_before read_file _read_head read_line _read_mtime read_only read_text _readable _reader _reading readlink
ready REAL_UID _recall recall _recall_append _recall_offer _receive receive receive_data _received
_received_octets RECENT _recent recent _recent_told _recheck_at RECURSIVEMATCH reference refresh
_refresh_surplus refresh_uidlist Refused refused _register release _release_save relocate _remaining REMOVE
_remove remove remove_done_callback remove_old_temporaries removesuffix rename rename_in Replace replace
_replacement reply __repr__ _reset_internal_locks _resolved rest rests_since restype _restype_ _result result
resume return returns rev2 reverse __reversed__ rfind rights rip RLIMIT_NOFILE RLock _root root _roots route row
row_after rows rstrip _rules _run run run_in_executor _run_session run_until_complete _running runs_beside
S_ISDIR _same_tick SAVE_DATE SAVE_DATE_BEFORE_RFC saved_result _scanned _scanner _schema SCM_RIGHTS Search
search search_index _second_inbox second_inbox _second_look seconds_left _sections SEEN _seen _seen_at select
selectable SELECTED selected _selector Semaphore send send_fds send_parts sendall _separator separator _serve
serve _serve_client _serve_sessions _service service _serving session _sessions sessions set set_asyncgen_hooks
set_busy_timeout set_debug _set_event_loop set_exception_handler set_first_recent _set_ident set_keywords
_set_native_id set_result set_running_or_notify_cancel _set_task_name setdefault setgroups __setitem__ setresuid
setswitchinterval _settings settings shared_dict _short_call _shutdown _shutdown_lock shutting_down SIGINT
silent silent_since SimpleQueue since sink SIZE _size size skipkeys _skipping _slice_size slice_size _snapshot
SNIPPET _sock sock SOCK_SEQPACKET SOCK_STREAM sockets SOL_SOCKET some_gone Sort sort_keys space space_or spans
speaking SPECIAL_USE special_use _spelled_inboxes _spent _spent_on_lines split spools
SQLITE_DBCONFIG_TRUSTED_SCHEMA SQLITE_OPEN_CREATE SQLITE_OPEN_NOFOLLOW SQLITE_OPEN_READWRITE src src_dir_fd
ssl_key st_ctime_ns st_dev st_ino st_mode st_mtime_ns st_size _stale_seconds _stamp start _start_one _started
started _starts startswith stat _state state _status status _statuses _stderr stderr stop storage Store _store
store _stored string string_at strip sub __subclasscheck__ __subclasshook__ _submit submit _submits_soon
subscribed _subscriptions subtype _summaries summaries __supertype__ _sure_modseq surplus _surplus_differs
surplus_has_changed _surplus_lines _surplus_path _surplus_size sync sync_directory sync_file_range synced
syscall _syslog_name _tag tag _tail take take_astring take_change take_close take_events take_flag _take_in
take_in take_keywords _take_line take_open take_space take_string take_word _target target _task TaskGroup
_tasks _tell tell tell_changes tell_copies _tell_expunged _tell_flags tell_mailbox _tell_messages _tell_new
tell_new tell_untold_modseq _tells_capabilities_apart _template template _temporary TEXT _text text texts thing
Thread THREAD_ID _thread_name_prefix threading _threads _threads_until _tidy tidy time _timed_for _timed_out
timeout _timer timing _tls to_bits to_letters _tokens toordinal translate Transport _transport transport trash
_tree trim truncate _tstate_lock _turns _type_ UID uid uid_next _uid_only uid_only uid_validity uidlist UIDNEXT
_uids uids UIDVALIDITY umask _unanswered unchanged_since undecided _under_way under_way _unfinished unfinished
_uninitialized_submodules unknown_encoding unlink unlink_in _unread unread _unread_at_end unreceive UNSEEN
unseen _unsent unsent untagged _until untold_modseq _unused _unwrap_partial updates upper url_host _use_line
_used_at user user_values username users _usual_uses usual_uses utf8_accept utf8_names _value value
_value2member_map_ _value_ vanished _version _view view wait _wait_for_done _waiter _waiters _waiting
_waiting_call WAITING_FSYNCS _waits waits_since _wake _wake_up_first want _wanted wanted wants _watch watch
_watch_no_more _watchers weakref __weakref__ weakref_cb _weakrefset when _when_others_had_their_turn
_with_contents _with_headers woken word words _work_queue workarounds _workers __wrapped__ _write write
write_all _writer _writes writev _writing _written _written_status
""".split()
)
