/**
 * The one table of coded errors: code → HTTP status, title, next step.
 *
 * A refusal is a value, not an exception: something asked for that cannot be
 * had, with a sentence a person understands and what to do next. Codes are
 * stable: programs may compare them. `docs/errors.md` is generated from here.
 */
export const errors = {
  // asking
  bad_request: { status: 400, title: 'The request cannot be read', next: 'Compare it with /api/v1/openapi.json.' },
  not_found: {
    status: 404,
    title: 'There is nothing at this address',
    next: 'Check the address; /api/v1/openapi.json lists all.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This address is not used that way',
    next: 'Use a method of the Allow header; /api/v1/openapi.json lists all.',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are larger than allowed',
    next: 'Send fewer or shorter headers.',
  },
  request_timeout: { status: 408, title: 'The request did not arrive in time', next: 'Send it again, without pauses.' },
  body_too_large: {
    status: 413,
    title: 'The body is larger than allowed here',
    next: 'Send files in chunks through /uploads.',
  },
  media_type: {
    status: 415,
    title: 'This media type is not read here',
    next: 'Send application/json, or bytes where a file is expected.',
  },
  key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used for a different request',
    next: 'Use a new key for a new request.',
  },
  too_many: { status: 429, title: 'Too many at once', next: 'Wait a moment and try again.' },
  limit_reached: { status: 422, title: 'A limit is reached', next: 'Remove what is no longer needed, then try again.' },
  // who
  sign_in_needed: { status: 401, title: 'Sign in first', next: 'Sign in, or send Authorization: Bearer TOKEN.' },
  sign_in_failed: {
    status: 401,
    title: 'Name and password do not match',
    next: 'Try again; an administrator can set a new password.',
  },
  token_invalid: {
    status: 401,
    title: 'This token is not valid, or no longer',
    next: 'Make a new one: binnacle token create.',
  },
  role_missing: {
    status: 403,
    title: 'Your role does not allow this',
    next: 'Ask an administrator for a higher role.',
  },
  right_missing: {
    status: 403,
    title: 'Your rights in this sandbox do not allow this',
    next: 'Ask an administrator: binnacle sandbox rights NAME shows and changes who may what.',
  },
  scope_exceeded: {
    status: 403,
    title: 'This token is limited to named sandboxes',
    next: 'Use another token, or make one without this limit: binnacle token create.',
  },
  host_refused: {
    status: 421,
    title: 'This node does not answer to that host name',
    next: 'Use an address or name of this node.',
  },
  origin_refused: {
    status: 403,
    title: 'A page of another origin may not do this',
    next: 'Open the console from this node itself.',
  },
  // cluster
  starting: { status: 503, title: 'This node is still starting', next: 'Try again in a moment.' },
  stopping: { status: 503, title: 'This node is stopping', next: 'Ask another node, or try again when it is back.' },
  no_active: {
    status: 503,
    title: 'No active controller can be reached',
    next: 'Look at the cluster overview: it says what is missing.',
  },
  not_active: {
    status: 503,
    title: 'This node is not the active controller',
    next: 'Ask any node through its usual address: it passes requests on by itself.',
  },
  node_unreachable: {
    status: 503,
    title: 'The node that holds this cannot be reached',
    next: 'Start that node or its network; the cluster overview says since when it is silent.',
  },
  hops_exceeded: {
    status: 508,
    title: 'The request was passed on too often',
    next: 'Try again in a moment: the nodes do not agree yet who is active.',
  },
  switch_refused: {
    status: 409,
    title: 'The lead cannot be handed over now',
    next: 'Mend what the sentence names, then try again.',
  },
  recovery_refused: {
    status: 409,
    title: 'This confirmation of a loss is not taken',
    next: 'Look at the evidence again: binnacle recover.',
  },
  invite_invalid: {
    status: 403,
    title: 'This invite is not valid, or no longer',
    next: 'Make a new one on a member: binnacle invite.',
  },
  join_request_unknown: {
    status: 404,
    title: 'There is no such request to join, or no longer',
    next: 'On the new node ask again: binnacle join --ask.',
  },
  authority_changing: {
    status: 409,
    title: 'The authority of the cluster is being changed already',
    next: 'See whom it waits for: binnacle authority show. A node that does not come back can be removed.',
  },
  certificate_refused: {
    status: 403,
    title: 'This certificate is not given',
    next: 'Ask with the key that the node joined with; a node that has lost it joins anew.',
  },
  node_removed: {
    status: 403,
    title: 'This node was removed from the cluster',
    next: 'Keep what you need of its data folder, then join from an empty one: binnacle join CODE.',
  },
  name_taken: { status: 409, title: 'A node of this name is in the cluster', next: 'Choose another name.' },
  cannot_join: {
    status: 409,
    title: 'This node could not join',
    next: 'Mend what the sentence names, then try again.',
  },
  no_node: {
    status: 409,
    title: 'This computer belongs to no cluster yet',
    next: 'Start a cluster in the window of the desktop program, or join one.',
  },
  has_node: {
    status: 409,
    title: 'This computer belongs to a cluster already',
    next: 'To belong to another one, use another data folder or another computer.',
  },
  setup_busy: {
    status: 409,
    title: 'Something else was begun and is not done yet',
    next: 'Wait until it is done, or cancel it.',
  },
  node_unknown: { status: 404, title: 'There is no such node', next: 'Look at the list of nodes.' },
  duties_refused: {
    status: 409,
    title: 'The cluster cannot do without this',
    next: 'Give that duty to another node first.',
  },
  nothing_to_decide: {
    status: 409,
    title: 'Nothing waits for a decision there',
    next: 'Look at the run: its state says what it waits for.',
  },
  version_too_new: {
    status: 503,
    title: 'This node cannot read what the cluster writes',
    next: 'Install the version of the program that the sentence names. Delete nothing.',
  },
  unknown_outcome: {
    status: 503,
    title: 'It is not known whether this was done',
    next: 'Send the same request again with the same Idempotency-Key.',
  },
  disk_full: {
    status: 507,
    title: 'The disk of this node is full',
    next: 'Free some space; work goes on by itself. Nothing was lost.',
  },
  journal_damaged: {
    status: 503,
    title: 'The journal of this node is damaged',
    next: 'Do not delete anything. Run: binnacle doctor. If another controller is well: binnacle copy-anew.',
  },
  folder_in_use: {
    status: 503,
    title: 'Another node uses this data folder',
    next: 'If it has just been started, wait a moment; else stop it first, or name another folder with --data.',
  },
  // sandboxes
  sandbox_unknown: { status: 404, title: 'There is no such sandbox', next: 'Look at the list of sandboxes.' },
  sandbox_exists: { status: 409, title: 'A sandbox of that name exists', next: 'Choose another name.' },
  sandbox_kind: {
    status: 422,
    title: 'This kind of sandbox cannot be made here yet',
    next: 'Make it shared or local.',
  },
  sandbox_in_use: {
    status: 409,
    title: 'Runs of this sandbox have not ended',
    next: 'Cancel them or wait, then try again.',
  },
  path_refused: {
    status: 400,
    title: 'This path is not allowed',
    next: 'Use a relative path of plain names inside the sandbox.',
  },
  file_unknown: {
    status: 404,
    title: 'There is no such file',
    next: 'Look at the folder; it may have been moved or deleted (see the trash).',
  },
  not_a_file: { status: 409, title: 'That is a folder, not a file', next: 'Name a file, or ask for it as a zip.' },
  not_a_folder: { status: 409, title: 'That is a file, not a folder', next: 'Name a folder.' },
  file_exists: {
    status: 409,
    title: 'Something of that name is there already',
    next: 'Choose another name, or replace it with If-Match.',
  },
  file_changed: {
    status: 412,
    title: 'The file was changed by someone else',
    next: 'Look at the newer version, then save again.',
  },
  range_invalid: {
    status: 416,
    title: 'This part of the file does not exist',
    next: 'Ask for a range inside the file.',
  },
  version_unknown: { status: 404, title: 'There is no such version', next: 'Look at the history of the file.' },
  upload_unknown: { status: 404, title: 'There is no such upload', next: 'Start the upload again.' },
  upload_offset: {
    status: 409,
    title: 'The upload goes on at another offset',
    next: 'Ask for the upload and go on where it stands.',
  },
  upload_incomplete: {
    status: 409,
    title: 'The upload is not complete',
    next: 'Send the missing bytes, then complete it.',
  },
  checksum_mismatch: { status: 422, title: 'The bytes do not match their checksum', next: 'Send them again.' },
  file_damaged: {
    status: 500,
    title: 'The kept file no longer matches its checksum',
    next: 'Restore another version; run: binnacle doctor.',
  },
  // jobs
  job_file_wrong: {
    status: 422,
    title: 'The job file has mistakes',
    next: 'Mend the lines named, save, launch again.',
  },
  not_launchable: {
    status: 422,
    title: 'This file is not a job file',
    next: 'Launch a *.job.yaml, a *.job.json or a script.',
  },
  parameters_wrong: { status: 422, title: 'The parameters do not fit', next: 'Mend the parameters named.' },
  run_unknown: {
    status: 404,
    title: 'There is no such run',
    next: 'Look at the list of runs; old ones are removed by the retention rule.',
  },
  run_ended: { status: 409, title: 'The run has ended', next: 'Launch it again if needed.' },
  task_unknown: { status: 404, title: 'The run has no such task', next: 'Look at the tasks of the run.' },
  log_unknown: { status: 404, title: 'There is no output of this attempt', next: 'Look at the attempts of the task.' },
  // people
  user_unknown: { status: 404, title: 'There is no such person', next: 'Look at the list of people.' },
  user_exists: { status: 409, title: 'A person of that name exists', next: 'Choose another name.' },
  token_unknown: { status: 404, title: 'There is no such token', next: 'Look at the list of tokens.' },
  session_unknown: {
    status: 404,
    title: 'There is no such session, or no longer',
    next: 'Look at the list of sessions: binnacle session ls.',
  },
  last_admin: {
    status: 409,
    title: 'The last administrator cannot be removed',
    next: 'Make another administrator first.',
  },
  // secrets
  secret_unknown: {
    status: 422,
    title: 'There is no such secret',
    next: 'Save it first: binnacle secret set NAME, or in the console under Settings.',
  },
  secret_unfit: {
    status: 422,
    title: 'This cannot be kept as a secret',
    next: 'Choose a longer value, or put it into the job file if it is none.',
  },
  secret_not_given: {
    status: 403,
    title: 'This node is not given that secret',
    next: 'Secrets are given to the node that runs an attempt, while it runs, if its task names them.',
  },
  secrets_key_missing: {
    status: 503,
    title: 'The key of the secrets is not here',
    next: 'Start the other controller, which has it. If it is lost for good, remove all secrets and save them again.',
  },
  // ours
  internal: {
    status: 500,
    title: 'Binnacle made a mistake',
    next: 'Try again; if it stays, look at the log of this node.',
  },
} as const satisfies Record<string, { status: number; title: string; next: string }>;

export type ErrorCode = keyof typeof errors;

/** A mistake at a place in a file or a request. Lines and columns count from 1. */
export type Problem = {
  path: string;
  line?: number;
  column?: number;
  sentence: string;
  /** What would be right, if that can be said. */
  hint?: string;
};

/** Something asked for that cannot be had. Part of results, never thrown by the core. */
export type Refusal = {
  code: ErrorCode;
  /** What exactly, in one sentence with names in it. */
  detail: string;
  problems?: Problem[];
  /** Since when it is so, where that is known. */
  since?: string;
};

export const refuse = (code: ErrorCode, detail: string, problems?: Problem[]): Refusal =>
  problems ? { code, detail, problems } : { code, detail };
