/** Puts a job file of this computer into a sandbox, over nothing unless that is wanted. */
import type { Entry, JobCheck } from '../../node-runtime/contract/model.ts';
import { call, Failure } from '../api.ts';

/** Null when the file is to replace nothing and one of this name is there. */
export async function putFile(sandbox: string, path: string, text: string, replace: boolean): Promise<Entry | null> {
  try {
    return await call('fileWrite', {
      params: { sandbox, path },
      body: new Blob([text]),
      headers: replace ? {} : { 'if-none-match': '*' },
    });
  } catch (cause) {
    if (!replace && cause instanceof Failure && cause.code === 'file_exists') return null;
    throw cause;
  }
}

/** What checking finds. Asked again while the node or the cluster only passes through something. */
export const checkText = (sandbox: string, path: string, text: string): Promise<JobCheck> =>
  call('check', { params: { sandbox }, body: { path, text }, patient: true });
