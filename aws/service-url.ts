/** Where a service is reached for which there is no client among the dependencies: AWS, unless an endpoint is named, as for the SDK's own clients. */
export const serviceUrl = (service: 'kms' | 'sts', region: string, endpoint?: string): URL =>
  new URL(
    endpoint ??
      process.env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ??
      process.env['AWS_ENDPOINT_URL'] ??
      `https://${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`,
  );
